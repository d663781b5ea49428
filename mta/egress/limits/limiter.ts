// Whether a connection is granted within the limits, and for how many recipients: one Pair for each (address, provider) held here.
import { type ConnectRefusal, LONGEST_CONNECTION_MS } from '../../bus/connect.ts';
import type { Lingering } from '../../bus/snapshot.ts';
import type { PairAnswer, PairLimits, PairRecord } from '../../policy/limits/pair.ts';
import type { Asker } from '../../policy/limits/turns.ts';
import type { Clock } from '../clock.ts';
import type { RecordStore } from '../record_store.ts';
import { type GrantHandle, Grants } from './grants.ts';
import { limitRefusals, pairGauges } from './metrics.ts';
import { PairKeeper, type Predecessor } from './pair_keeper.ts';
import { NO_OTHER, NO_POOL_CAPS, type OtherRoom, type PoolRoom, type PoolShare } from './port.ts';

export interface LimiterOptions {
  /** This pod's UID. */
  readonly uid: string;
  readonly clock: Clock;
  /** ms since the epoch. */
  readonly wallNow: () => number;
  readonly store: (address: string, provider: string) => RecordStore<PairRecord>;
  readonly other?: OtherRoom;
  readonly pool?: PoolShare;
  readonly warn: (error: unknown) => void;
}

export interface Ask extends Asker {
  readonly address: string;
  readonly provider: string;
  /** Recipients; null: the caller does not say, and does not report. */
  readonly want: number | null;
  readonly limits: PairLimits;
  /** The epoch the address is held under. */
  readonly epoch: number;
  /** Its caller says that the connection carries nothing more. */
  readonly onDone: () => void;
  /** What it was granted under has ended: the connection has to go. */
  readonly onEnd: () => void;
}

export type Asked =
  | {
      readonly verdict: 'granted';
      readonly handle: GrantHandle;
      readonly recipients: number;
      /** No transaction may start from then on, ms since the epoch. */
      readonly until: number | null;
    }
  | {
      readonly verdict: 'refused';
      readonly reason: ConnectRefusal;
      readonly message: string;
      readonly retryMs: number;
    }
  /** Something must be read or written first: ask again then. */
  | { readonly verdict: 'wait'; readonly until: Promise<void> };

/** How soon to ask again when NATS has not taken a record. */
const AWAY_RETRY_MS = 2000;
const LONGEST_RETRY_MS = 15_000;
/** What nobody has asked for so long is forgotten; its record stays. */
const IDLE_MS = 3_600_000;

export class Limiter {
  readonly grants: Grants;
  readonly #options: LimiterOptions;
  readonly #keepers = new Map<string, PairKeeper>();
  /** By address, what holders before still have open. */
  readonly #lingering = new Map<string, readonly Lingering[]>();

  constructor(options: LimiterOptions) {
    this.#options = options;
    this.grants = new Grants(options.clock);
  }

  /** The decision, without a gap between the look at the counters and their rise. */
  ask(ask: Ask): Asked {
    const { clock, other = NO_OTHER, pool = NO_POOL_CAPS } = this.#options;
    const { address, provider, limits } = ask;
    const keeper = this.#keeperOf(ask);
    const now = clock.now();
    keeper.askedAt = now;
    const { pair } = keeper;
    if (!pair) {
      if (keeper.failure && !keeper.mayRetry) return away(keeper.failure);
      return { verdict: 'wait', until: keeper.load(limits, () => this.#before(address, provider)) };
    }
    if (pair.limits !== limits) pair.setLimits(limits);
    const room = other.room(address, provider);
    if (room.kind === 'reserve') return { verdict: 'wait', until: other.reserve(address, provider) };
    if (room.kind === 'none') return { verdict: 'refused', ...room };
    const share = pool.room(provider, ask.want ?? limits.messagesPerConnection) ?? UNCAPPED;
    if (share.kind === 'wait') return { verdict: 'wait', until: share.until };
    // Where the pool has nothing left the pair is asked all the same: it remembers who waits.
    const outside = share.kind === 'none' ? nothing(share) : share;
    const recipients = Math.min(room.recipients, outside.recipients);
    const want = wanted(ask, Math.min(pair.room(now), recipients));
    const answer = pair.grant(ask, now, want, { ...outside, recipients });
    if (answer.verdict === 'reserve')
      return keeper.mayRetry
        ? { verdict: 'wait', until: keeper.reserve() }
        : away(keeper.failure ?? 'a write of its record failed');
    if (answer.verdict === 'refused')
      return share.kind === 'none' ? refusedByPool(ask, share) : refused(ask, answer);
    const { grant } = answer;
    const claim = other.claim(address, provider, grant.recipients);
    const taken = pool.claim(provider, grant.recipients, ask.onEnd);
    const handle = this.grants.issue(ask.pod, { grant, claim, pool: taken }, ask.want !== null, ask.onDone);
    keeper.tend();
    return { verdict: 'granted', handle, recipients: grant.recipients, until: claim?.until ?? null };
  }

  #keeperOf({ address, provider, epoch }: Ask): PairKeeper {
    const key = keyOf(address, provider);
    const known = this.#keepers.get(key);
    if (known?.options.writer.epoch === epoch) return known;
    const { uid, clock, wallNow, store, warn } = this.#options;
    const writer = { uid, epoch };
    const parts = {
      address,
      provider,
      writer,
      store: store(address, provider),
      now: clock.now,
      wallNow,
      warn,
    };
    const keeper = new PairKeeper(parts);
    this.#keepers.set(key, keeper);
    return keeper;
  }

  #before(address: string, provider: string): Predecessor {
    const connections = openOf(this.#lingering.get(address) ?? [], provider);
    const now = this.#options.clock.now();
    return { connections, grantsEndAt: connections > 0 ? now + LONGEST_CONNECTION_MS : now };
  }

  /** What holders of the address before still have open, by their own word: it counts until it has ended. */
  inherit(address: string, lingering: readonly Lingering[]): void {
    const before = this.#lingering.get(address);
    if (before === lingering || (!before && lingering.length === 0)) return;
    this.#lingering.set(address, lingering);
    for (const { pair, options } of this.#keepers.values())
      if (options.address === address)
        pair?.setInherited(this.#options.clock.now(), openOf(lingering, options.provider));
  }

  /** The address is no longer held: what is open still ends, and the next holder finds the record. */
  async leave(address: string): Promise<void> {
    const left = [...this.#keepers].filter(([, { options }]) => options.address === address);
    this.#lingering.delete(address);
    await Promise.all(left.map(([key]) => this.#drop(key)));
  }

  /** What is known of the provider may be old: the next question reads its records anew, and nothing old is written. What is open still ends. */
  forget(provider: string): void {
    for (const [key, { options }] of this.#keepers)
      if (options.provider === provider) this.#keepers.delete(key);
  }

  async leaveAll(): Promise<void> {
    await Promise.all([...this.#keepers.keys()].map((key) => this.#drop(key)));
  }

  async #drop(key: string): Promise<void> {
    const keeper = this.#keepers.get(key);
    this.#keepers.delete(key);
    if (!keeper) return;
    const { address, provider } = keeper.options;
    pairGauges.forget({ address, provider });
    await keeper.release();
  }

  /** To be called every second. */
  tick(): void {
    const now = this.#options.clock.now();
    for (const [key, keeper] of this.#keepers) {
      keeper.tend();
      const idle = now - keeper.askedAt > IDLE_MS && (keeper.pair?.connections(now) ?? 0) === 0;
      if (idle) void this.#drop(key);
    }
  }

  /** Brings the gauges up to date. */
  show(): void {
    const now = this.#options.clock.now();
    for (const { options, pair } of this.#keepers.values()) {
      const { address, provider } = options;
      if (pair) pairGauges.show({ address, provider }, pair, now);
    }
  }
}

/**
 * As many as the caller has, and more where there is plenty: a connection that is kept for the next message is worth more than what it
 * holds meanwhile, and what it does not use comes back. All connections together hold a quarter of the room so.
 */
export function wanted({ want, limits }: Pick<Ask, 'want' | 'limits'>, room: number): number {
  const { connections, messagesPerConnection } = limits;
  const plenty = Math.min(messagesPerConnection, Math.floor(room / (4 * connections)));
  return Math.max(1, want ?? messagesPerConnection, plenty);
}

const UNCAPPED: PoolRoom = {
  kind: 'open',
  connections: Number.POSITIVE_INFINITY,
  recipients: Number.POSITIVE_INFINITY,
};

type NoShare = Extract<PoolRoom, { kind: 'none' }>;

const nothing = ({ missing, retryMs }: NoShare) => ({
  connections: missing === 'connections' ? 0 : Number.POSITIVE_INFINITY,
  recipients: 0,
  retryMs,
});

const keyOf = (address: string, provider: string): string => `${address} ${provider}`;

const openOf = (lingering: readonly Lingering[], provider: string): number =>
  lingering.reduce((sum, { open }) => sum + (open[provider] ?? 0), 0);

const away = (why: string): Asked => ({
  verdict: 'refused',
  reason: 'RateLimit',
  message: `nothing can be reserved of the limits: ${why}`,
  retryMs: AWAY_RETRY_MS,
});

function refused(
  { address, provider, limits }: Ask,
  { limit, retryMs }: Extract<PairAnswer, { verdict: 'refused' }>,
): Asked {
  limitRefusals.inc({ address, provider, limit });
  const at = `from ${address} to ${provider}`;
  const message = {
    connections: `${limits.connections} connections ${at} are open`,
    turn: `it is the turn of others ${at}`,
    attempts: `${limits.attemptsPerMinute} connections ${at} were begun within a minute`,
    outside: `nothing is left ${at}`,
  };
  const reason = limit === 'connections' || limit === 'turn' ? 'ConnectionLimit' : 'RateLimit';
  const window = limit in message ? null : limits.messages[limit as keyof typeof limits.messages];
  return {
    verdict: 'refused',
    reason,
    message: message[limit as keyof typeof message] ?? `${window} recipients ${at} within a ${limit}`,
    retryMs,
  };
}

/** The lender has no more for this pod now, or cannot be asked. */
function refusedByPool({ address, provider }: Ask, { missing, why, retryMs, cap }: NoShare): Asked {
  limitRefusals.inc({ address, provider, limit: `pool-${missing}` });
  const at = `from all addresses to ${provider}`;
  const message = {
    connections: `${cap.connections} connections ${at} are open or lent`,
    attempts: `${cap.attemptsPerMinute} connections ${at} were begun within a minute`,
    messages: `the recipients ${at} are used up or lent`,
  };
  const limit = missing in message ? message[missing as keyof typeof message] : null;
  return {
    verdict: 'refused',
    reason: missing === 'connections' ? 'PoolConnectionLimit' : 'PoolRateLimit',
    message:
      why ??
      limit ??
      `${cap.messages[missing as keyof typeof cap.messages]} recipients ${at} within a ${missing}`,
    retryMs: Math.max(100, Math.min(LONGEST_RETRY_MS, retryMs)),
  };
}
