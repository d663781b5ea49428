// The status of an IPPool. Pure.
import type { IPPoolSpec, IPPoolStatus } from '../../resources/kinds.ts';
import type { AddressFindings, IPPoolFindings } from '../act/findings.ts';
import type { Problem } from '../observe/problems.ts';
import type { ObjectMeta } from '../observe/resources.ts';
import type { PodView } from '../observe/world.ts';
import { listedCondition, namesCondition, namesStatus } from './address-names.ts';
import { type AddressStatus, addressStatus, leavingAddresses } from './address-status.ts';
import { conditionsOf, firstOf, type Health, reconciling, stalled, type Why } from './conditions.ts';
import { suspendedColumn, warmingColumn, warmupCondition, warmupOf } from './warmup-status.ts';

/** Of addresses in a sentence. */
const MOST_NAMED = 3;

export interface IPPoolReport {
  readonly metadata: ObjectMeta;
  readonly before: Partial<IPPoolStatus>;
  /** Of the spec; those of an invalid spec are unknown. */
  readonly addresses: IPPoolSpec['addresses'];
  readonly warmup?: IPPoolSpec['warmup'];
  readonly problem: Problem | null;
  readonly findings: IPPoolFindings | null;
  /** Null: DNS has not been asked yet. */
  readonly dns?: AddressFindings | null;
  readonly pods: readonly PodView[];
  readonly unschedulable: string | null;
  /** SendingPools that hold up the deletion. */
  readonly usedBy: readonly string[];
  readonly now: number;
}

export function ipPoolStatus(report: IPPoolReport): IPPoolStatus {
  const { metadata, before, now } = report;
  const addresses = [
    ...report.addresses.map((one) => withDetails(addressStatus(one, report), report)),
    ...leavingAddresses(report),
  ];
  const { warmup, dns = null } = report;
  const further = [
    warmup ? warmupCondition(addresses) : null,
    dns && namesCondition(dns),
    dns && listedCondition(dns),
  ].filter((one) => one !== null);
  const told = new Set<string>(further.map(({ type }) => type));
  // Before the first look after a start what was found before still stands.
  const stale = (type: string) =>
    FURTHER.includes(type) && !told.has(type) && (type === 'WarmupOnSchedule' || dns);
  const kept = (before.conditions ?? []).filter(({ type }) => !stale(type));
  const wanted = addresses.filter(({ state }) => state !== 'Draining' && state !== 'Drained');
  const held = wanted.filter(({ state }) => state === 'Held').length;
  const why = held === wanted.length ? null : whyNotAll(wanted, held);
  const own = {
    type: 'AddressesHeld',
    status: report.findings ? (why ? 'False' : 'True') : 'Unknown',
    reason: why?.reason ?? 'AsExpected',
    message: why?.message ?? `${held} of ${wanted.length} addresses are of use`,
  } as const;
  return {
    observedGeneration: metadata.generation,
    conditions: conditionsOf(kept, healthOf(report, why), [own, ...further], metadata.generation, now),
    addresses,
    held: `${held}/${wanted.length}`,
    ...(warmup && { warming: warmingColumn(addresses), ...suspendedColumn(addresses) }),
  };
}

function withDetails(
  one: AddressStatus,
  { addresses, warmup, findings, dns = null, now }: IPPoolReport,
): AddressStatus {
  const found = warmupOf(one.address, { addresses, warmup }, findings?.ledgers?.records ?? [], now);
  return { ...one, ...namesStatus(one.address, dns), ...(found.length > 0 && { warmup: found }) };
}

/** Those that are looked at anew each time; what is not asked for any more goes. */
const FURTHER: readonly string[] = ['WarmupOnSchedule', 'DNSVerified', 'NotListed'];

/** Which are not held and why, the first few by name. */
function whyNotAll(addresses: readonly AddressStatus[], held: number): Why {
  const others = addresses.filter(({ state }) => state !== 'Held');
  const named = others.slice(0, MOST_NAMED).map(({ address, message }) => `${address}: ${message}`);
  const more = others.length > MOST_NAMED ? ` and ${others.length - MOST_NAMED} more` : '';
  const message = `${held} of ${addresses.length} addresses are of use; ${named.join('; ')}${more}`;
  if (held === 0) return { reason: 'NoAddressHeld', message };
  return {
    reason: others.some(({ state }) => state === 'Unplaced') ? 'AddressUnplaced' : 'AddressUnfit',
    message,
  };
}

function healthOf(report: IPPoolReport, why: Why | null): Health {
  const { findings, metadata, usedBy } = report;
  if (metadata.deletionTimestamp)
    return reconciling(
      'Deleting',
      usedBy.length ? `mail still leaves through it: ${usedBy.join(', ')}` : 'egress pods are ending',
    );
  return firstOf(
    stalled(report.problem ?? findings?.problem ?? null),
    noNode(findings),
    // A pod that waits for a cordoned node is nobody's trouble while others hold everything.
    report.unschedulable && why
      ? stalled({ reason: 'NoNodeForAddress', message: report.unschedulable })
      : null,
    natsHealth(findings),
    report.pods.some((pod) => pod.ready)
      ? null
      : reconciling('WaitingForPods', 'the egress pod is not ready'),
    why && { kind: 'Reconciling', ...why },
  );
}

/** When no address has a node to go to, somebody has to change something. */
function noNode(findings: IPPoolFindings | null): Health | null {
  const problems = findings?.placement?.addresses.map(({ problem }) => problem) ?? [];
  const [first] = problems;
  return first && problems.every((one) => one !== null) ? stalled(first) : null;
}

function natsHealth(findings: IPPoolFindings | null): Health | null {
  if (!findings) return reconciling('WaitingForNats', 'the snapshot is not written yet');
  if (findings.nats.kind === 'Written') return null;
  const reason = findings.nats.kind === 'Unavailable' ? 'NatsUnavailable' : 'SnapshotFailed';
  return reconciling(reason, findings.nats.message);
}
