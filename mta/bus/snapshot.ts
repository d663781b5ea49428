// What the operator tells the MTA pods: one KV key per resource, JSON, each with a version and the resource's generation.
// An invalid resource never replaces the last good value.
import type { IPPoolSpec, QueuePolicySpec, SendingPoolSpec } from '../../resources/kinds.ts';

export const SNAPSHOT_VERSION = 1;

interface Snapshot {
  readonly version: typeof SNAPSHOT_VERSION;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
}

/** Key `pool.<poolKey>`: watched by ingress and the pool's delivery and egress pods. */
export interface PoolSnapshot extends Snapshot {
  readonly shards: number;
  readonly classes: SendingPoolSpec['classes'];
  readonly ipPool: string;
  readonly policy: QueuePolicySpec;
  /** True once the pool is being deleted: ingress answers 451, nothing new is taken. */
  readonly intakeClosed: boolean;
}

type AddressSpec = IPPoolSpec['addresses'][number];

/** Key `ippool.<namespace>_<name>`: watched by its egress pods and by the delivery pods that send through it. */
export interface IPPoolSnapshot extends Snapshot {
  /** Operators before wrote no state. */
  readonly addresses: readonly (Omit<AddressSpec, 'state'> & Partial<Pick<AddressSpec, 'state'>>)[];
  /**
   * By address, the nodes whose egress pod may hold it, the one that should first; the others stand by. An address that is not
   * named may be held wherever the machine has it, and so may all of them in a snapshot without placement.
   */
  readonly placement?: Readonly<Record<string, readonly string[]>>;
  /** Where egress brings up movable addresses; absent: it does not. */
  readonly bringUp?: { readonly interface?: string | undefined; readonly segment?: string | undefined };
  /** Absent: no address is being warmed up. */
  readonly warmup?: IPPoolSpec['warmup'];
  /** Addresses that only the mail of these domains goes by, and their mail by no others. Absent: there are none. */
  readonly dedicated?: Readonly<Record<string, readonly string[]>>;
}

/** Key `domain.<domain>`: read by ingress on demand. Private keys are sealed (see seal.ts) and only ingress can open them. */
export interface DomainSnapshot extends Snapshot {
  readonly domain: string;
  /** SendingPool as namespace/name. */
  readonly pool: string;
  readonly accounts: readonly string[];
  readonly returnPath: string | null;
  readonly dkim: readonly {
    readonly selector: string;
    readonly algorithm: 'RSA' | 'Ed25519';
    readonly sealedKey: string;
  }[];
}

/** Who works what: key `assignment.<poolKey>`, written by the operator alone, watched by the pool's delivery and egress pods. */
export interface Assignment {
  readonly version: typeof SNAPSHOT_VERSION;
  /** SendingPool as namespace/name. */
  readonly pool: string;
  /** Raised by one at each write; a statement names the revision it was made under. */
  readonly revision: number;
  readonly members: readonly AssignedMember[];
  readonly shards: readonly ShardAssignment[];
}

export interface AssignedMember {
  readonly pod: string;
  readonly uid: string;
  /** Cordoned: it stops pulling, spools and acknowledges all it has pulled, and gives up its shards. */
  readonly cordoned: boolean;
  /** It may hand its spool over to the other pods' shards; only ever true together with `cordoned`. */
  readonly handOver: boolean;
  /** It has far more to send now than the others: it hands over, as in a drain, what is ready and belongs to shards of others. */
  readonly share?: true;
  /** Which process of the pod the operator knows (`Statement.process`): another one means that the container has restarted. */
  readonly process?: string;
}

export interface ShardAssignment {
  readonly shard: number;
  /** Raised at every change of owner; CONNECT carries it. */
  readonly epoch: number;
  readonly owner: { readonly pod: string; readonly uid: string; readonly node: string } | null;
  /** The owner is asked to give it up: it stops pulling this shard and makes unacknowledged 0. */
  readonly releasing: boolean;
  /** The owner before; when it did not state "unacknowledged 0", egress must fence it before redelivered mail is sent. */
  readonly former: {
    readonly uid: string;
    readonly stated: boolean;
    /** When it was found lost, in ms since the epoch. Absent: it stated, or an older release. */
    readonly at?: number;
  } | null;
  /** Owners before the former, lost as well and so lately that a connection of theirs may live: they are fenced with it. Absent: none. */
  readonly lostBefore?: readonly { readonly uid: string; readonly at: number }[];
  /**
   * Its owner's container restarted: what the process before had in hand comes again from JetStream, and only this pod's volume knows
   * it. Until the ack floor of each consumer has reached its sequence here, the owner keeps the shard.
   */
  readonly settling?: Readonly<Record<string, number>>;
}

/** What a delivery pod says of itself: `GET /v1/statement` on its admin port, over mutual TLS, to the operator only. */
export interface Statement {
  readonly version: typeof SNAPSHOT_VERSION;
  readonly pod: string;
  readonly uid: string;
  readonly pool: string;
  /** Made anew at each start of the process: a restarted container has the same UID and nothing in its memory. */
  readonly process?: string | undefined;
  /** The assignment revision this pod has taken in and acts on; 0 before the first. */
  readonly assignmentRevision: number;
  readonly cordoned: boolean;
  readonly held: readonly {
    readonly shard: number;
    readonly epoch: number;
    readonly unacknowledged: number;
  }[];
  /** Parcels pulled and not yet acknowledged with confirmation, over all shards. */
  readonly unacknowledged: number;
  /** SMTP attempts under way. */
  readonly inFlight: number;
  readonly spool: {
    /** Made with the spool on the volume: another one under the same pod means that the volume was lost. Absent: an older release. */
    readonly id?: string | undefined;
    /** Recipients in the spool. */
    readonly entries: number;
    readonly bytes: number;
    readonly freeBytes: number;
    readonly oldestAcceptedAt: number | null;
    readonly writable: boolean;
    /** Recipients in damaged records, which a hand-over has found and has to leave behind. Absent: none. */
    readonly unreadable?: number | undefined;
  };
  readonly handedOver: number;
  readonly eventsUnsent: number;
  /** What autoscaling goes by. A pod of an older release leaves it out: unknown, not zero. */
  readonly work?: PodWork | undefined;
  /** What attempts came to since this process began, in recipients. Absent: an older release. */
  readonly results?: PodResults | undefined;
}

export interface PodResults {
  readonly delivered: number;
  readonly deferred: number;
  readonly bounced: number;
}

/** How much a delivery pod has to do. `null`: it is not known (nothing may be sent at all, or it is still being counted). */
export interface PodWork {
  /** Recipients and parcels that may be sent now and only wait for this pod; another pod could send them. */
  readonly ready: number | null;
  /** Recipients that are due, at sites that are blocked or as busy as limits allow: more pods would not help. */
  readonly limited: number | null;
  /** Recipients in the spool that wait for their due time. */
  readonly waiting: number | null;
  /** Recipients attempted a second, over the last ten; a refused connection is no attempt. */
  readonly perSecond: number;
}

/**
 * Length of a lease. Its holder counts from when it sent the last renewal, and has closed every connection of a movable address before;
 * who watches counts from when it saw that renewal.
 */
export const LEASE_MS = 10_000;

/** An egress pod's hold on an address: key `address.<address>` in the lease bucket. */
export interface AddressLease {
  readonly version: typeof SNAPSHOT_VERSION;
  readonly address: string;
  /** IPPool as namespace/name. */
  readonly ipPool: string;
  readonly holder: {
    readonly pod: string;
    readonly uid: string;
    readonly node: string;
    readonly host: string;
    readonly port: number;
  };
  /** Raised at every change of holder. */
  readonly epoch: number;
  readonly renewals: number;
  /** The holder has given it up; anyone may take it at once. Absent: it is held. */
  readonly released?: true;
  /**
   * Only with `released`: the address is still on an interface of the holder's node, where a successor may take it at once. Anywhere else
   * it is as good as held until the lease has run out, for by then the kernel has taken it down.
   */
  readonly stays?: true;
  /** It is about to be given up: no connections are granted, the open ones end. */
  readonly leaving?: true;
  /** UID of a pod on the holder's node that waits to follow it. */
  readonly heir?: string;
  /** It is held, and taken out for a while: it cannot bind or connect, as this says. */
  readonly unfit?: string;
  /** How many connections its holder has established: what others compare themselves with. */
  readonly connected?: number;
  /** Holders before, which have given it up and whose last connections are still ending. Whoever fences must ask them too. */
  readonly lingering?: readonly Lingering[];
}

export interface Lingering {
  readonly holder: AddressLease['holder'];
  /** Open connections by provider: the limits count them. */
  readonly open: Readonly<Record<string, number>>;
}

/** UIDs of the owners before that must be fenced: they stated nothing. */
export const owedFences = ({
  former,
  lostBefore = [],
}: Pick<ShardAssignment, 'former' | 'lostBefore'>): readonly string[] => [
  ...lostBefore.map(({ uid }) => uid),
  ...(former && !former.stated ? [former.uid] : []),
];
