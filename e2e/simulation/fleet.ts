// The fleet that is warmed up: addresses, providers with moods, and holders that die.

import { DEFAULT_THRESHOLDS } from '../../mta/policy/warmup/health.ts';
import {
  claim,
  confirmed,
  type Ledger,
  type Outcome,
  openLedger,
  reserve,
  settle,
  sliceOf,
} from '../../mta/policy/warmup/ledger.ts';
import { beginRecord, type WarmupPlan } from '../../mta/policy/warmup/record.ts';
import { scheduleFor } from '../../mta/policy/warmup/schedules.ts';
import { type Random, seeded } from '../internet/random.ts';

export const TIME_ZONE = 'America/New_York';
/** Over the change of clocks of 8 March 2026. */
export const START = Date.parse('2026-02-16T05:00:00Z');
const HOUR = 3_600_000;

export interface SimulatedProvider {
  readonly name: string;
  /** Recipients an address would like to send there on an ordinary day. */
  readonly demandPerDay: number;
}
export const PROVIDERS: readonly SimulatedProvider[] = [
  { name: 'google', demandPerDay: 240_000 },
  { name: 'yahoo', demandPerDay: 150_000 },
  { name: 'microsoft', demandPerDay: 90_000 },
  { name: 'apple', demandPerDay: 55_000 },
  { name: 'orange', demandPerDay: 30_000 },
];

/** A stretch of days on which a provider dislikes some of the addresses. */
export interface Mood {
  readonly provider: string;
  readonly fromDay: number;
  readonly toDay: number;
  readonly addresses: number;
  readonly deferred: number;
  readonly bounced: number;
}
export const MOODS: readonly Mood[] = [
  { provider: 'microsoft', fromDay: 19, toDay: 21, addresses: 12, deferred: 0.28, bounced: 0 },
  { provider: 'yahoo', fromDay: 25, toDay: 27, addresses: 15, deferred: 0.08, bounced: 0 },
  { provider: 'google', fromDay: 31, toDay: 31, addresses: 4, deferred: 0, bounced: 0.07 },
];

/** One calendar day of one (address, provider), as the provider counted it. */
export interface SimulatedDay {
  readonly day: number;
  accepted: number;
  /** Null: warmed. */
  allowance: number | null;
  crashes: number;
  suspended: boolean;
}
export interface Track {
  readonly provider: string;
  readonly address: number;
  readonly days: SimulatedDay[];
}
export interface Options {
  readonly seed: number;
  readonly addresses: number;
  readonly days: number;
  /** Chance that a holder dies in an hour. */
  readonly deathsPerHour: number;
}

/** Runs every address at every provider, hour by hour. */
export function simulate(options: Options): readonly Track[] {
  const random = seeded(options.seed);
  const tracks: Track[] = [];
  for (const provider of PROVIDERS)
    for (let address = 0; address < options.addresses; address++)
      tracks.push(new Life(provider, address, options, random).run());
  return tracks;
}

/** The judge's own calendar: not the code that is judged. */
const calendar = new Intl.DateTimeFormat('en-CA', { timeZone: TIME_ZONE, dateStyle: 'short' });

class Life {
  readonly #provider: SimulatedProvider;
  readonly #address: number;
  readonly #options: Options;
  readonly #random: Random;
  readonly #plan: WarmupPlan;
  readonly #days: SimulatedDay[] = [];
  #ledger: Ledger;
  #date = '';

  constructor(provider: SimulatedProvider, address: number, options: Options, random: Random) {
    this.#provider = provider;
    this.#address = address;
    this.#options = options;
    this.#random = random;
    this.#plan = {
      schedule: scheduleFor(provider.name),
      timeZone: TIME_ZONE,
      thresholds: DEFAULT_THRESHOLDS,
      stepBackDays: 3,
      countDeferred: false,
      startedOn: null,
      keepLedgerDays: 90,
    };
    this.#ledger = openLedger(beginRecord(`192.0.2.${address + 1}`, provider.name, START, this.#plan));
  }

  run(): Track {
    for (let now = START; this.#today(now).day <= this.#options.days; now += HOUR) this.#hour(now);
    this.#days.length = this.#options.days;
    return { provider: this.#provider.name, address: this.#address, days: this.#days };
  }

  #today(now: number): SimulatedDay {
    const date = calendar.format(now);
    if (date !== this.#date) {
      this.#days.push({
        day: this.#days.length + 1,
        accepted: 0,
        allowance: 0,
        crashes: 0,
        suspended: false,
      });
      this.#date = date;
    }
    return this.#days.at(-1) as SimulatedDay;
  }

  #hour(now: number): void {
    const today = this.#today(now);
    let wanted = Math.round((this.#provider.demandPerDay / 23) * (0.9 + 0.2 * this.#random.next()));
    if (this.#random.next() < this.#options.deathsPerHour) wanted = Math.ceil(wanted / 2); // it dies at half past
    const dies = wanted < (this.#provider.demandPerDay / 23) * 0.8;
    this.#send(now, wanted, today);
    today.allowance = this.#ledger.record.allowance;
    today.suspended ||= this.#ledger.suspended !== null;
    if (!dies) return;
    today.crashes++;
    this.#ledger = openLedger(this.#ledger.record);
  }

  #send(now: number, wanted: number, today: SimulatedDay): void {
    while (wanted > 0) {
      const answer = claim(this.#ledger, now, Math.min(wanted, 5000));
      if ('claim' in answer) {
        const outcome = this.#outcome(answer.claim.units, today.day);
        today.accepted += outcome.accepted ?? 0;
        wanted -= answer.claim.units;
        this.#ledger = settle(answer.ledger, answer.claim, outcome, this.#plan);
      } else if (answer.refused === 'Reserve')
        this.#ledger = confirmed(this.#ledger, reserve(this.#ledger, now, sliceOf(1e9), this.#plan));
      else return;
    }
  }

  #outcome(units: number, day: number): Outcome {
    const mood = MOODS.find((one) => one.provider === this.#provider.name && this.#isIn(one, day));
    const bounced = this.#some(units, 0.004 + (mood?.bounced ?? 0));
    const deferred = Math.min(units - bounced, this.#some(units, 0.008 + (mood?.deferred ?? 0)));
    return { accepted: units - bounced - deferred, deferred, bounced };
  }

  #isIn({ fromDay, toDay, addresses }: Mood, day: number): boolean {
    return day >= fromDay && day <= toDay && this.#address < addresses;
  }

  /** About `share` of the units, rounded by chance. */
  #some(units: number, share: number): number {
    return Math.floor(units * share * (0.6 + 0.8 * this.#random.next()) + this.#random.next());
  }
}
