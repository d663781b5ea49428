// How much of a pod's mail another pod could send now, for the statement and for sharing with others (decide/load.ts). That is what is due
// at a site that has room: it waits for this pod only. What is due at a site that is blocked, or where as many attempts run as
// limits allow, waits for the world. The spool has no index by site, so it is looked through in small steps, again and
// again; until a long one has been seen whole once, its numbers are unknown.
import type { PodWork } from '../bus/snapshot.ts';
import type { DuePlace, Spool, SpoolEntry } from '../spool/port.ts';
import type { Hand } from './hand.ts';
import { domainOf } from './intake.ts';
import type { Lane, Marks } from './lane.ts';
import type { Clock, Verdict } from './ports.ts';
import { Rate } from './rate.ts';
import { keptFate } from './results.ts';
import type { Scheduler } from './scheduler.ts';
import { isAttempt } from './tally.ts';

export interface WorkloadParts {
  readonly spool: Pick<Spool, 'duePage' | 'parcel'>;
  readonly hand: Pick<Hand, 'values'>;
  readonly scheduler: Pick<Scheduler, 'isFull'>;
  readonly knownSite: (domain: string) => string | null;
  readonly lane: Lane;
  /** Whether an attempt may start at all now. */
  readonly open: () => boolean;
  readonly clock: Clock;
}

interface Counted {
  readonly ready: number;
  readonly limited: number;
}

const PAGE = 200;
/** Of the four steps a second each may take so long: three per cent of a core while the spool is long. */
const STEP_MS = 8;
/** A look through begins at most this often. */
const EVERY_MS = 1000;

export class Workload {
  readonly #parts: WorkloadParts;
  #place: DuePlace | null = null;
  #running: Counted = { ready: 0, limited: 0 };
  #whole: Counted | null = null;
  #notBefore = 0;
  readonly #rate = new Rate();

  constructor(parts: WorkloadParts) {
    this.#parts = parts;
  }

  /** Looks a little further. */
  step(): void {
    const { spool, clock } = this.#parts;
    const begun = clock.monotonic();
    if (this.#place === null && begun < this.#notBefore) return;
    if (this.#place === null) this.#notBefore = begun + EVERY_MS;
    do {
      const { entries, place } = spool.duePage(clock.now(), this.#place, PAGE);
      for (const entry of entries) this.#count(entry);
      this.#place = place;
      if (place === null) {
        this.#whole = this.#running;
        this.#running = { ready: 0, limited: 0 };
      }
    } while (this.#place !== null && clock.monotonic() - begun < STEP_MS);
  }

  /** Counts an attempt. */
  attempted(verdicts: readonly Verdict[]): void {
    this.#rate.count(verdicts.filter(isAttempt).length, this.#parts.clock.monotonic());
  }

  /** For the statement. @param entries recipients in the spool */
  work(entries: number): PodWork {
    const counted = this.counted();
    const perSecond = this.#rate.perSecond(this.#parts.clock.monotonic());
    if (!counted) return { ready: null, limited: null, waiting: null, perSecond };
    return { ...counted, waiting: Math.max(0, entries - counted.ready - counted.limited), perSecond };
  }

  /** Parcels in hand included. What the look under way has found already counts when it is more than the last one's. */
  counted(): Counted | null {
    if (!this.#whole || !this.#parts.open()) return null;
    const [whole, running] = [this.#whole, this.#running];
    const inHand = this.#inHand();
    return {
      ready: Math.max(whole.ready, running.ready) + inHand.ready,
      limited: Math.max(whole.limited, running.limited) + inHand.limited,
    };
  }

  /** Whether another pod could send this mail to this domain now, as far as this pod knows. */
  readonly hasRoom = (domain: string, header: () => Marks | undefined): boolean => {
    const { knownSite, scheduler, clock, lane } = this.#parts;
    const site = knownSite(domain);
    return site === null || !scheduler.isFull(site + lane(header), clock.now());
  };

  #count({ hopId, recipient }: SpoolEntry): void {
    // Only its bounce is still to be published.
    if (keptFate(recipient)) return;
    const header = () => this.#parts.spool.parcel(hopId)?.header;
    this.#running = added(this.#running, this.hasRoom(domainOf(recipient.address), header));
  }

  #inHand(): Counted {
    let counted: Counted = { ready: 0, limited: 0 };
    for (const { parcel, attempting } of this.#parts.hand.values()) {
      const first = parcel?.recipients[0];
      if (!parcel || !first || attempting) continue;
      counted = added(
        counted,
        this.hasRoom(domainOf(first.address), () => parcel),
      );
    }
    return counted;
  }
}

const added = ({ ready, limited }: Counted, isReady: boolean): Counted =>
  isReady ? { ready: ready + 1, limited } : { ready, limited: limited + 1 };
