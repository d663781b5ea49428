// What an IPPool's status says of each address. Pure.
import type { AddressLease } from '../../mta/bus/snapshot.ts';
import type { IPPoolSpec, IPPoolStatus } from '../../resources/kinds.ts';
import type { Reason } from '../../resources/reasons.ts';
import type { IPPoolReport } from './ippool-status.ts';

export type AddressStatus = IPPoolStatus['addresses'][number];
type Seen = Pick<IPPoolReport, 'findings' | 'pods' | 'metadata'>;

/** Held: its lease is of a pod that is there. How fresh a lease is, egress pods judge among themselves. */
export function addressStatus(
  { address, state, movable }: IPPoolSpec['addresses'][number],
  seen: Seen,
): AddressStatus {
  const lease = leaseOf(address, seen);
  const held = lease && heldBy(lease);
  if (state === 'Draining') return lease && mayStillSend(lease, seen) ? draining(lease) : drained(address);
  if (!held || !isThere(lease, seen)) return unplaced(address, movable, lease, seen);
  return lease.unfit === undefined
    ? held
    : { ...held, state: 'Unfit', ...because('AddressUnfit', lease.unfit) };
}

/** Those that were taken out of the spec and are not free yet. */
export function leavingAddresses(report: IPPoolReport): AddressStatus[] {
  const known = new Set(report.addresses.map(({ address }) => address));
  const leases = report.findings?.leases ?? [];
  return leases
    .filter(({ address }) => !known.has(address))
    .flatMap(({ address }) => leaseOf(address, report) ?? [])
    .filter((lease) => mayStillSend(lease, report))
    .map(draining);
}

/** The lease, when it is of this pool and not given up. */
function leaseOf(address: string, { findings, metadata }: Seen): AddressLease | null {
  const own = `${metadata.namespace}/${metadata.name}`;
  const lease = findings?.leases.find((one) => one.address === address);
  return lease && !lease.released && lease.ipPool === own ? lease : null;
}

const heldBy = ({ address, holder }: AddressLease): AddressStatus => ({
  address,
  holder: holder.pod,
  node: holder.node,
  state: 'Held',
});

const because = (reason: Reason, message: string) => ({ reason, message });

const draining = (lease: AddressLease): AddressStatus => ({
  ...heldBy(lease),
  state: 'Draining',
  ...because('AddressDraining', 'no new connections; the open ones end within thirteen minutes'),
});

const drained = (address: string): AddressStatus => ({
  address,
  state: 'Drained',
  ...because('AddressDrained', 'no connection is open; it can be taken out, or set to Active again'),
});

/** A pod that is gone has taken its connections along; one that is not ready may be at work behind a broken cable. */
const mayStillSend = ({ holder }: AddressLease, { pods }: Seen): boolean =>
  pods.some((pod) => pod.uid === holder.uid);

const isThere = ({ holder }: AddressLease, { pods }: Seen): boolean =>
  pods.some((pod) => pod.uid === holder.uid && pod.ready);

function unplaced(address: string, movable: boolean, lease: AddressLease | null, seen: Seen): AddressStatus {
  const { findings, pods } = seen;
  const placed = findings?.placement?.addresses.find((one) => one.address === address);
  const [node] = placed?.nodes ?? [];
  const is = { address, ...(node !== undefined && { node }), state: 'Unplaced' } as const;
  if (placed?.problem) return { ...is, ...placed.problem };
  if (lease) return { ...is, ...because('WaitingForHolder', `its holder ${lease.holder.pod} is not ready`) };
  if (node !== undefined) {
    const there = pods.some((pod) => pod.node === node && pod.ready);
    const message = there
      ? `the egress pod on ${node} has not taken it${movable ? '' : ': does the node have it on an interface?'}`
      : `the egress pod on ${node} is not ready`;
    return { ...is, ...because('WaitingForHolder', message) };
  }
  const nodes = findings?.placement?.podNodes ?? [];
  const looked =
    nodes.length > 0 && nodes.every((name) => pods.some((pod) => pod.node === name && pod.ready));
  const where = nodes.length > 0 ? ` (looked on ${nodes.join(', ')})` : '';
  return looked
    ? {
        ...is,
        ...because(
          'NoNodeHasAddress',
          `no node has it on an interface${where}: put it on one, correct bindAddress, or take it out of the pool`,
        ),
      }
    : { ...is, ...because('WaitingForHolder', 'egress pods are not ready to look for it') };
}
