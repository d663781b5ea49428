// Keeps the limits of one (address, provider): record_keeper.ts, with what the holder before may still have open.
import { Pair, type PairLimits } from '../../policy/limits/pair.ts';
import { RecordKeeper, SKEW_MS } from './record_keeper.ts';

/** What the holder before may still do when the address was taken. */
export interface Predecessor {
  /** When its last grant has surely ended, monotonic ms. */
  readonly grantsEndAt: number;
  /** Its open connections to the provider. */
  readonly connections: number;
}

export class PairKeeper extends RecordKeeper<Pair> {
  /** Null until the record has been read. */
  get pair(): Pair | null {
    return this.kept;
  }

  /** Never rejects; without NATS there is no pair, unless nothing of the record could bind. */
  load(limits: PairLimits, before: () => Predecessor): Promise<void> {
    return this.open(isDurable(limits), (found) => {
      const { now, wallNow } = this.options;
      const { grantsEndAt, connections } = before();
      const record = found && { ...found, connections };
      const pair = new Pair(limits, record, { now: now(), wallNow: wallNow(), grantsEndAt, skewMs: SKEW_MS });
      if (connections > 0) pair.setInherited(now(), connections);
      return pair;
    });
  }
}

const isDurable = ({ attemptsPerMinute, messages: { minute, hour, day } }: PairLimits): boolean =>
  [attemptsPerMinute, minute, hour, day].some((limit) => limit != null);
