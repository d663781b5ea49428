// The time of day as egress judges by it: windows and days are written by one pod and read by another, and a machine whose clock is an
// hour ahead would find a window over, or begin the next day. So all of them go by the clock of NATS, which has the records. Between two
// looks at it, and when it jumps, the time goes on steadily (process/steady.ts); without NATS it goes on like the monotonic clock.
import { SteadyClock } from '../../process/steady.ts';
import type { Bus } from '../bus/client.ts';
import { FLEET_BUCKET } from '../bus/names.ts';

/** An answer that took longer says too little: half of this is how wrong it may be, and the windows allow for five seconds. */
const LONGEST_LOOK_MS = 5_000;
/** From when on the machine's clock is worth a word. */
const NOTABLE_MS = 5_000;

export interface SharedTimeOptions {
  /** ms since the epoch by the clock of NATS. Rejects while it is away. */
  readonly ask: () => Promise<number>;
  readonly monotonic: () => number;
  /** The machine's clock, ms since the epoch. */
  readonly machine: () => number;
  /** Told when the machine's clock comes to be far from NATS', and when it is right again. */
  readonly onOff: (offMs: number, isFar: boolean) => void;
}

export class SharedTime {
  readonly #options: SharedTimeOptions;
  /** NATS' time where the monotonic clock has its zero. */
  #zero = 0;
  #steady: SteadyClock | null = null;
  #isFar = false;
  #looking: Promise<void> | null = null;

  constructor(options: SharedTimeOptions) {
    this.#options = options;
  }

  /** ms since the epoch; the machine's until the first answer, so nothing durable may be judged by it before `known`. */
  readonly now = (): number => this.#steady?.now() ?? this.#options.machine();

  /** Resolves when the time is known; rejects when NATS cannot be asked now. */
  async known(): Promise<void> {
    if (!this.#steady) await this.look();
  }

  /** `bus` for records that are judged by the time: no bucket before it is known. */
  dated<T extends Pick<Bus, 'kv' | 'obstacle'>>({ kv, obstacle }: T): Pick<Bus, 'kv' | 'obstacle'> {
    return { kv: (name) => this.known().then(() => kv(name)), obstacle };
  }

  /** Asks NATS; to be called every minute or so. Rejects when there is no answer that says enough. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { ask, monotonic, machine, onOff } = this.#options;
    const sent = monotonic();
    const there = await ask();
    const took = monotonic() - sent;
    if (took > LONGEST_LOOK_MS) throw new Error(`NATS took ${Math.round(took)} ms to say what time it is`);
    this.#zero = there - sent - took / 2;
    this.#steady ??= new SteadyClock(() => this.#zero + monotonic(), monotonic);
    const offMs = machine() - this.#zero - monotonic();
    const isFar = Math.abs(offMs) > NOTABLE_MS;
    if (isFar !== this.#isFar) onOff(offMs, isFar);
    this.#isFar = isFar;
  }
}

/** What the leader of a bucket has on its clock. */
export async function natsTime(bus: Pick<Bus, 'kv'>): Promise<number> {
  const { streamInfo } = await (await bus.kv(FLEET_BUCKET)).status();
  if (streamInfo.ts === undefined)
    throw new Error('NATS does not say what time it is: it is older than 2.10');
  return Date.parse(streamInfo.ts);
}
