// A sliding window: never more than N recipients in ANY interval of its length, wherever it begins. Not a bucket that refills
// (which lets 2 N through around a calendar border, or N at once and N more while it drips), but a count of what was.
//
// Definition: a recipient counts from the moment it is granted until a full length after its outcome was reported. Its
// transaction happens somewhere in between, so two that happen within one length of each other were counted
// together when the later one was granted: the sum at the provider cannot exceed N.

/** Recipients whose transactions ended no later than `until`. */
export interface Span {
  readonly until: number;
  readonly units: number;
}

export const WINDOW_MS = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
export type WindowName = keyof typeof WINDOW_MS;
export const WINDOWS = Object.keys(WINDOW_MS) as readonly WindowName[];

/** Reports within this part of the length are kept as one span that ends with the last: it bounds memory and costs at most as much use. */
const GRAIN = 128;

export class Window {
  readonly lengthMs: number;
  #spans: Span[] = [];
  /** Index of the first span that still counts. */
  #first = 0;
  #total = 0;

  constructor(lengthMs: number, spans: readonly Span[] = []) {
    this.lengthMs = lengthMs;
    for (const span of spans.toSorted((a, b) => a.until - b.until)) this.add(span.until, span.units);
  }

  /** Adds what was reported at `now`. */
  add(now: number, units: number): void {
    if (units <= 0) return;
    const grain = this.lengthMs / GRAIN;
    const until = Math.ceil(now / grain) * grain;
    this.#total += units;
    let index = this.#spans.length;
    while (index > this.#first && (this.#spans[index - 1] as Span).until > until) index--;
    const before = index > this.#first ? this.#spans[index - 1] : undefined;
    if (before?.until === until) this.#spans[index - 1] = { until, units: before.units + units };
    else this.#spans.splice(index, 0, { until, units });
  }

  /** What was to end after `now` has ended. */
  endBy(now: number): void {
    const late = this.#spans.slice(this.#first).filter(({ until }) => until > now);
    if (late.length === 0) return;
    this.#spans = this.#spans.slice(this.#first, this.#spans.length - late.length);
    this.#first = 0;
    for (const { units } of late) {
      this.#total -= units;
      this.add(now, units);
    }
  }

  /** Recipients that count at `now`. */
  count(now: number): number {
    for (
      let span = this.#spans[this.#first];
      span && span.until + this.lengthMs <= now;
      span = this.#spans[this.#first]
    ) {
      this.#total -= span.units;
      this.#first++;
    }
    if (this.#first > GRAIN) {
      this.#spans.splice(0, this.#first);
      this.#first = 0;
    }
    return this.#total;
  }

  /** When at least `units` of what counts at `now` will have left; Infinity when there are not so many. */
  freesAt(now: number, units: number): number {
    this.count(now);
    let left = units;
    for (let index = this.#first; index < this.#spans.length; index++) {
      const span = this.#spans[index] as Span;
      left -= span.units;
      if (left <= 0) return span.until + this.lengthMs;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** What still counts at `now`, oldest first. */
  spans(now: number): readonly Span[] {
    this.count(now);
    return this.#spans.slice(this.#first);
  }
}
