// The status of an IPPool. Pure.
import type { IPPoolStatus } from '../../resources/kinds.ts';
import type { IPPoolFindings } from '../act/findings.ts';
import type { Problem } from '../observe/problems.ts';
import type { ObjectMeta } from '../observe/resources.ts';
import type { PodView } from '../observe/world.ts';
import { conditionsOf, firstOf, type Health, reconciling, stalled } from './conditions.ts';

export interface IPPoolReport {
  readonly metadata: ObjectMeta;
  readonly before: Partial<IPPoolStatus>;
  /** Of the spec; those of an invalid spec are unknown. */
  readonly addresses: readonly string[];
  readonly problem: Problem | null;
  readonly findings: IPPoolFindings | null;
  readonly pods: readonly PodView[];
  readonly unschedulable: string | null;
  /** SendingPools that hold up the deletion. */
  readonly usedBy: readonly string[];
  readonly now: number;
}

export function ipPoolStatus(report: IPPoolReport): IPPoolStatus {
  const { metadata, before, now } = report;
  const addresses = report.addresses.map((address) => addressStatus(report, address));
  const held = addresses.filter(({ state }) => state === 'Held').length;
  const count = `${held} of ${addresses.length} addresses are held`;
  const all = held === addresses.length;
  const own = {
    type: 'AddressesHeld',
    status: report.findings ? (all ? 'True' : 'False') : 'Unknown',
    reason: all ? 'AsExpected' : 'AddressUnplaced',
    message: count,
  } as const;
  return {
    observedGeneration: metadata.generation,
    conditions: conditionsOf(
      before.conditions ?? [],
      healthOf(report, all, count),
      [own],
      metadata.generation,
      now,
    ),
    addresses,
    held: `${held}/${addresses.length}`,
  };
}

/** Held: its lease is of a pod that is there. How fresh a lease is, egress pods judge among themselves. */
function addressStatus({ findings, pods }: IPPoolReport, address: string): IPPoolStatus['addresses'][number] {
  const lease = findings?.leases.find((one) => one.address === address && !one.released);
  const holder = lease && pods.find((pod) => pod.uid === lease.holder.uid && pod.ready);
  return lease && holder
    ? { address, holder: holder.name, node: lease.holder.node, state: 'Held' }
    : { address, state: 'Unplaced' };
}

function healthOf(report: IPPoolReport, all: boolean, count: string): Health {
  const { findings, metadata, usedBy } = report;
  if (metadata.deletionTimestamp)
    return reconciling(
      'Deleting',
      usedBy.length ? `mail still leaves through it: ${usedBy.join(', ')}` : 'egress pods are ending',
    );
  return firstOf(
    stalled(report.problem ?? findings?.problem ?? null),
    report.unschedulable ? stalled({ reason: 'NoNodeForAddress', message: report.unschedulable }) : null,
    natsHealth(findings),
    report.pods.some((pod) => pod.ready)
      ? null
      : reconciling('WaitingForPods', 'the egress pod is not ready'),
    all ? null : reconciling('AddressUnplaced', count),
  );
}

function natsHealth(findings: IPPoolFindings | null): Health | null {
  if (!findings) return reconciling('WaitingForNats', 'the snapshot is not written yet');
  if (findings.nats.kind === 'Written') return null;
  const reason = findings.nats.kind === 'Unavailable' ? 'NatsUnavailable' : 'SnapshotFailed';
  return reconciling(reason, findings.nats.message);
}
