// What the fleet reconciles have seen in NATS and at the pods, for the reports. In memory only: after a restart it is
// seen anew, and until then reports say that it is unknown.
import type { AddressLease, Assignment } from '../../mta/bus/snapshot.ts';
import type { LedgerRecord } from '../../mta/policy/warmup/record.ts';
import type { Scaling } from '../decide/autoscale.ts';
import type { Trial } from '../decide/canary.ts';
import type { DeletionStep } from '../decide/deletion.ts';
import type { DrainVerdict } from '../decide/drain.ts';
import type { Placement } from '../decide/place.ts';
import type { AddressRecords } from '../desired/address-records.ts';
import type { StreamsView } from '../nats/backlog.ts';
import type { Problem } from '../observe/problems.ts';
import type { Reading } from '../observe/world.ts';
import { type AnyObject, type Key, keyOf } from '../runtime/objects.ts';

/** How far NATS has got with a resource. */
export type NatsFinding =
  | { readonly kind: 'Written' }
  | { readonly kind: 'Unavailable'; readonly message: string }
  | { readonly kind: 'Failed'; readonly message: string };

export interface PoolFindings {
  /** Of the SendingPool: what was found of one before it of the same name says nothing of this. */
  readonly uid: string | undefined;
  /** When it was seen, ms since the epoch, and of which generation of the resource. */
  readonly at: number;
  readonly generation: number | undefined;
  readonly nats: NatsFinding;
  /** Why the spec that is wanted is not in force. */
  readonly problem: Problem | null;
  readonly assignment: Assignment | null;
  readonly readings: ReadonlyMap<string, Reading>;
  readonly streams: StreamsView | null;
  readonly drain: DrainVerdict | null;
  /** What was wrong with the annotation that says how pods leave, or null. */
  readonly drainModeFault: string | null;
  readonly deletion: DeletionStep | null;
  /** What autoscaling has decided; null: it is off, or has not looked yet. */
  readonly scaling: Scaling | null;
  /** What was left in the leaving pod, for the estimate; oldest first. */
  readonly progress: readonly { readonly at: number; readonly left: number }[];
}

/** What was found of this very object, or nothing yet. */
export function findingsOf({ pools }: Pick<Findings, 'pools'>, { metadata }: AnyObject): PoolFindings | null {
  const found = pools.get(keyOf(metadata));
  return found && found.uid === metadata.uid ? found : null;
}

export interface IPPoolFindings {
  readonly nats: NatsFinding;
  readonly problem: Problem | null;
  readonly leases: readonly AddressLease[];
  /** null: not decided since this operator began, or nodes cannot be read. */
  readonly placement: Placement | null;
  /** Warm-up ledgers of its addresses, and when they were read, ms since the epoch; null: not yet. */
  readonly ledgers: { readonly records: readonly LedgerRecord[]; readonly at: number } | null;
}

/** What DNS says of an IPPool's addresses. */
export interface AddressFindings {
  readonly records: readonly AddressRecords[];
  readonly listed: {
    /** What was asked, so that another question is asked at once. */
    readonly question: string;
    readonly at: number;
    /** `listed` null: the list did not answer. */
    readonly answers: readonly {
      readonly address: string;
      readonly zone: string;
      readonly listed: boolean | null;
    }[];
  };
}

export interface DomainFindings {
  readonly nats: NatsFinding;
}

export interface Findings {
  readonly pools: Map<Key, PoolFindings>;
  readonly ipPools: Map<Key, IPPoolFindings>;
  readonly addresses: Map<Key, AddressFindings>;
  readonly domains: Map<Key, DomainFindings>;
  /** What is tried of new templates, by the pool's UID (decide/canary.ts). */
  readonly trials: Map<string, Trial>;
  /** Spools that were lost and given up: a cached status of before may still name them. */
  readonly acknowledged: Set<string>;
}

export const noFindings = (): Findings => ({
  pools: new Map(),
  ipPools: new Map(),
  addresses: new Map(),
  domains: new Map(),
  trials: new Map(),
  acknowledged: new Set(),
});
