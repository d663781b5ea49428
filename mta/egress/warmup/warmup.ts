// The ledgers of all addresses that this pod holds: made when they are first asked for, forgotten when their day is over.
import { causeText } from '../../policy/warmup/health.ts';
import type { Claim, Outcome } from '../../policy/warmup/ledger.ts';
import { planFor, type WarmupPool } from '../../policy/warmup/plan.ts';
import { type LedgerRecord, stageOf } from '../../policy/warmup/record.ts';
import type { RecordStore } from '../record_store.ts';
import { LedgerKeeper } from './ledger_keeper.ts';
import { Gauges } from './metrics.ts';

export interface WarmupOptions {
  readonly ipPool: () => WarmupPool | null;
  readonly store: (address: string, provider: string) => RecordStore<LedgerRecord>;
  /** ms since the epoch. */
  readonly now: () => number;
  readonly warn: (error: unknown) => void;
  /** Revisions of the complaints about an address at a provider after one. */
  readonly complaintsAfter?: (address: string, provider: string, revision: number) => readonly number[];
}

/** What warm-up lets a connection carry now. */
export type Room =
  /** No limit by warm-up. */
  | { readonly kind: 'Warmed' }
  | { readonly kind: 'Open'; readonly recipients: number }
  /** Nothing in hand: `reserve`, then look again. */
  | { readonly kind: 'Reserve' }
  /** What may be in hand at once is in open grants; it comes back as they end. */
  | { readonly kind: 'Busy' }
  | { readonly kind: 'Exhausted' }
  | { readonly kind: 'Suspended'; readonly why: string };

/** What a caller may know of the day, so that it need not ask in vain. */
export interface DayView {
  /** Recipients that are left of the day, those in open grants of other holders counted as spent. */
  readonly room: number;
  readonly allowance: number;
  readonly endsInSeconds: number;
}

/** Recipients of one connection, given back bit by bit. */
export interface WarmupClaim {
  readonly recipients: number;
  /** No transaction may start from then on; ms since the epoch. */
  readonly until: number;
  /** What became of some of them. */
  report(outcome: Outcome): void;
  /** The connection is gone. `used`: how many of the rest count as accepted; without word of them, all do. */
  end(used?: number): void;
}

interface Kept {
  readonly address: string;
  readonly provider: string;
  readonly keeper: LedgerKeeper;
  askedAt: number;
  /** Whether its address is warmed up, as the snapshot says. */
  planned: boolean;
}

/** How long a ledger is kept at hand that nobody asks for. */
const IDLE_MS = 600_000;

export class Warmup {
  readonly #options: WarmupOptions;
  readonly #keepers = new Map<string, Kept>();
  readonly #gauges = new Gauges();
  #forgotten = 0;

  constructor(options: WarmupOptions) {
    this.#options = options;
  }

  /** What could be claimed at once. */
  room(address: string, provider: string): Room {
    const keeper = this.#keeper(address, provider);
    if (!keeper) return { kind: 'Warmed' };
    const answer = keeper.look();
    if ('claim' in answer) return { kind: 'Open', recipients: answer.claim.units };
    const suspended = keeper.ledger?.suspended;
    if (answer.refused === 'Suspended')
      return { kind: 'Suspended', why: suspended ? causeText(suspended, suspended.reply) : '' };
    return { kind: answer.refused };
  }

  /** The day as known here; null: no limit by warm-up, or not known yet. */
  day(address: string, provider: string): DayView | null {
    const ledger = this.#keeper(address, provider)?.ledger;
    if (!ledger || ledger.record.allowance === null) return null;
    const { allowance, reserved, endsAt } = ledger.record;
    const room = ledger.suspended ? 0 : Math.max(0, allowance - reserved + ledger.free);
    return { room, allowance, endsInSeconds: Math.max(0, Math.ceil((endsAt - this.#options.now()) / 1000)) };
  }

  /** Why nothing can be reserved, or null. */
  failure(address: string, provider: string): string | null {
    return this.#keeper(address, provider)?.failure ?? null;
  }

  /** Resolves when a slice was asked for, however that ended. */
  reserve(address: string, provider: string): Promise<void> {
    return this.#keeper(address, provider)?.reserve() ?? Promise.resolve();
  }

  /** Takes up to `want` recipients; null when `room` says anything but Open or Warmed. */
  claim(address: string, provider: string, want: number): WarmupClaim | null {
    const keeper = this.#keeper(address, provider);
    if (!keeper) return UNLIMITED;
    const answer = keeper.claim(want);
    return 'claim' in answer ? claimed(keeper, answer.claim) : null;
  }

  #keeper(address: string, provider: string): LedgerKeeper | null {
    const key = `${address} ${provider}`;
    const known = this.#keepers.get(key);
    if (known?.planned) {
      // Only who holds the address is asked for it.
      known.keeper.stay();
      known.askedAt = this.#options.now();
      return known.keeper;
    }
    const plan = known ? null : planFor(this.#options.ipPool(), address, provider);
    if (!plan) return null;
    const { store, now, warn, complaintsAfter } = this.#options;
    const keeper = new LedgerKeeper({
      ...{ address, provider, plan, store: store(address, provider), now, warn },
      complaintsAfter: (revision) => complaintsAfter?.(address, provider, revision) ?? [],
    });
    this.#keepers.set(key, { address, provider, keeper, askedAt: now(), planned: true });
    return keeper;
  }

  /** To be called whenever `ipPool` has changed: what it says binds at once. */
  replan(): void {
    for (const one of this.#keepers.values()) {
      const plan = planFor(this.#options.ipPool(), one.address, one.provider);
      one.planned = plan !== null;
      if (plan) one.keeper.setPlan(plan);
      else void one.keeper.leave();
    }
  }

  /** What is known of the provider may be old: the next question reads its records anew. What is in hand goes back. */
  forget(provider: string): void {
    for (const [key, kept] of [...this.#keepers]) {
      if (kept.provider !== provider) continue;
      this.#keepers.delete(key);
      // Asked for no more, and ticked until it is idle.
      this.#keepers.set(`${key} before ${++this.#forgotten}`, kept);
      void kept.keeper.leave();
    }
  }

  /** The address is not held here any more: what is in hand goes back. */
  async left(address: string): Promise<void> {
    const mine = [...this.#keepers.values()].filter((one) => one.address === address);
    await Promise.all(mine.map(({ keeper }) => keeper.leave()));
  }

  /** Every second: writes what is due, forgets what is over, shows the rest. */
  tick(): void {
    const idleSince = this.#options.now() - IDLE_MS;
    for (const [key, { address, provider, keeper, askedAt }] of this.#keepers) {
      // There may be thousands of small hosts in a day: what is in hand for one that gets no more mail goes back.
      if (askedAt < idleSince) void keeper.leave();
      keeper.tick();
      if (keeper.isIdle) {
        this.#keepers.delete(key);
        this.#gauges.remove(address, provider);
      } else if (keeper.ledger) this.#gauges.set(address, provider, viewOf(keeper));
    }
  }

  /** Gives everything back; for the end of the process. */
  async close(): Promise<void> {
    await Promise.all([...this.#keepers.values()].map(({ keeper }) => keeper.leave()));
  }
}

function viewOf({ ledger }: LedgerKeeper) {
  const record = ledger?.record;
  return {
    allowance: record?.allowance ?? Number.POSITIVE_INFINITY,
    used: (record?.used ?? 0) + (ledger?.news.used ?? 0),
    day: record ? stageOf(record) : 0,
    suspended: ledger?.suspended ? 1 : 0,
  };
}

const UNLIMITED: WarmupClaim = {
  recipients: Number.POSITIVE_INFINITY,
  until: Number.POSITIVE_INFINITY,
  report() {},
  end() {},
};

function claimed(keeper: LedgerKeeper, one: Claim): WarmupClaim {
  let left = one.units;
  let ended = false;
  const settle = (units: number, outcome: Outcome) => {
    left -= units;
    keeper.settle({ ...one, units }, outcome);
  };
  return {
    recipients: one.units,
    until: one.until,
    report(outcome) {
      const { accepted = 0, deferred = 0, delayed = 0, bounced = 0 } = outcome;
      if (!ended) settle(Math.min(left, accepted + deferred + delayed + bounced), outcome);
    },
    end(used = left) {
      if (ended) return;
      ended = true;
      settle(left, { accepted: Math.min(used, left) });
    },
  };
}
