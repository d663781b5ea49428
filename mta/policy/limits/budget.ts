// Recipients (or connection attempts) under several windows at once. The exact count lives with the one holder of the address.
// What a successor must know of the windows of a minute and longer is durable: the spans that still count, and slices
// reserved ahead. The holder grants only out of what is reserved; its successor counts all of it as used at the moment the
// predecessor's last grant can have ended. A limit per second alone needs no slices: it is over before a lease is.
//
// Every window is counted whether it is limited or not, so a limit that is changed or added finds the history it is about.
import { type Span, WINDOW_MS, WINDOWS, Window, type WindowName } from './window.ts';

/** Null or absent: no limit. */
export type WindowLimits = Readonly<Partial<Record<WindowName, number | null>>>;

/** Limits over these are reserved ahead. */
const DURABLE = ['minute', 'hour', 'day'] as const satisfies readonly WindowName[];

/** At most this share of each limit is reserved ahead of grants. */
export const SLICE_SHARE = 0.05;

/** Part of the KV record `limits.<address>.<provider>` (pair.ts); times are the writer's wall clock, ms since the epoch. */
export interface BudgetRecord {
  readonly windows: Readonly<Record<WindowName, readonly Span[]>>;
  /** Reserved and not settled when it was written: free to grant, and in open grants. */
  readonly reserved: number;
}

export interface Takeover {
  /** Monotonic now, and the wall clock at the same moment. */
  readonly now: number;
  readonly wallNow: number;
  /** When the predecessor's last grant has surely ended, monotonic; `now` when it has closed everything or its lease is over. */
  readonly grantsEndAt: number;
  /** How far the wall clocks of two nodes may be apart. */
  readonly skewMs: number;
}

export type Taken =
  | { readonly units: number }
  | { readonly units: 0; readonly refused: 'Reserve' } // room, but no slice in hand
  | { readonly units: 0; readonly refused: WindowName; readonly retryAt: number };

/** How long to wait when only open grants stand in the way. */
const OPEN_GRANTS_MS = 1000;

export class Budget {
  #limits: WindowLimits;
  readonly #windows: Readonly<Record<WindowName, Window>>;
  #free = 0;
  #open = 0;

  constructor(limits: WindowLimits, record?: BudgetRecord | null, takeover?: Takeover) {
    this.#limits = limits;
    const window = (name: WindowName): Window =>
      new Window(WINDOW_MS[name], record && takeover ? inherited(record, name, takeover) : []);
    this.#windows = {
      second: window('second'),
      minute: window('minute'),
      hour: window('hour'),
      day: window('day'),
    };
  }

  /** Lets go of what is reserved and not granted. */
  release(): void {
    this.#free = 0;
  }

  /** A predecessor whose grants were to end later has ended them: what it had reserved counts from now. */
  predecessorEnded(now: number): void {
    for (const name of WINDOWS) this.#windows[name].endBy(now);
  }

  /** Other limits, over the same history. What is reserved beyond them is let go at the next take. */
  setLimits(limits: WindowLimits): void {
    this.#limits = limits;
  }

  /** Takes up to `want` for a grant. Settle it once. */
  take(now: number, want: number): Taken {
    const tight = this.#tightest(now);
    const units = Math.min(want, tight.room, this.isDurable ? this.#free : want);
    if (units >= 1) {
      this.#open += units;
      if (this.isDurable) this.#free -= units;
      return { units };
    }
    if (tight.room >= 1) return { units: 0, refused: 'Reserve' };
    return { units: 0, refused: tight.name, retryAt: this.#retryAt(now, tight.name, 1 - tight.room) };
  }

  #retryAt(now: number, name: WindowName, missing: number): number {
    const window = this.#windows[name];
    const open = this.#open > 0 ? OPEN_GRANTS_MS : window.lengthMs;
    return Math.min(window.freesAt(now, missing), now + open);
  }

  /** Counts as granted what somebody before has granted. Settle it once. */
  adopt(units: number): void {
    this.#open += units;
  }

  /** What the limits leave now, whether it is reserved or not. */
  room(now: number): number {
    return this.#tightest(now).room;
  }

  /** Gives `units` of a grant back, of which `used` count; the rest may be granted again. */
  settle(now: number, units: number, used: number): void {
    this.#open = Math.max(0, this.#open - units);
    for (const name of WINDOWS) this.#windows[name].add(now, used);
    if (this.isDurable) this.#free = Math.min(this.#free + Math.max(0, units - used), this.#slice());
  }

  /** The next slice: to be written with `record(…, slice)` and then confirmed. 0: enough in hand, or no room. */
  slice(now: number): number {
    if (!this.isDurable) return 0;
    return Math.max(0, Math.min(this.#slice() - this.#free, this.#tightest(now, DURABLE).room - this.#free));
  }

  /** The slice's record was written: it may be granted. */
  confirmed(slice: number): void {
    this.#free += slice;
  }

  /** Whether a slice should be fetched before it is needed. */
  wantsSlice(now: number): boolean {
    return this.isDurable && this.#free * 2 < this.#slice() && this.slice(now) > 0;
  }

  /** What a successor must know, with `slice` more reserved than now. */
  record(now: number, wallNow: number, slice: number): BudgetRecord {
    const spans = (name: WindowName) =>
      this.#windows[name]
        .spans(now)
        .map(({ until, units }) => ({ until: Math.ceil(until - now + wallNow), units }));
    return {
      windows: { second: spans('second'), minute: spans('minute'), hour: spans('hour'), day: spans('day') },
      reserved: this.#free + this.#open + slice,
    };
  }

  /** Counted in the window now, open grants included. */
  used(name: WindowName, now: number): number {
    return this.#windows[name].count(now) + this.#open;
  }

  /** The window with the least room; what is free to grant is not taken off. */
  #tightest(now: number, names: readonly WindowName[] = WINDOWS): { name: WindowName; room: number } {
    let tight: { name: WindowName; room: number } = { name: 'day', room: Number.POSITIVE_INFINITY };
    for (const name of names) {
      const limit = this.#limits[name];
      if (limit == null) continue;
      const room = limit - this.used(name, now);
      if (room < tight.room) tight = { name, room };
    }
    return tight;
  }

  /** Whether grants come out of what is reserved ahead. */
  get isDurable(): boolean {
    return DURABLE.some((name) => this.#limits[name] != null);
  }

  #slice(): number {
    const limits = DURABLE.map((name) => this.#limits[name] ?? Number.POSITIVE_INFINITY);
    return Math.max(1, Math.floor(Math.min(...limits) * SLICE_SHARE));
  }
}

/** A predecessor's spans in the reader's monotonic time; what it had reserved counts as used when its last grant has ended. */
function inherited({ reserved, windows }: BudgetRecord, name: WindowName, at: Takeover): Span[] {
  const moved = windows[name].map(({ until, units }) => ({
    // A stamp from the future (its clock was ahead, or ours went back) counts as from now, or as a grant that is still open.
    until: Math.min(Math.max(at.now, at.grantsEndAt), at.now - at.wallNow + until + at.skewMs),
    units,
  }));
  return [...moved, { until: Math.max(at.now, at.grantsEndAt), units: reserved }];
}
