// What is in hand of a stream that is gone is nowhere else any more: it goes to the spool at once, an attempt under way or not.
import type { Log } from '../../process/log.ts';
import type { Hand, Held } from './hand.ts';

const RETRY_MS = 2000;

/** @param spool writes a parcel in hand to the spool; rejects when it cannot */
export function rescue(hand: Hand, spool: (held: Held) => Promise<void>, log: Log): void {
  for (const held of [...hand.values()]) void untilSpooled(held, spool, log);
}

/** What another owner may have been given (`lost`) is not ours: a copy here would be a duplicate. */
async function untilSpooled(held: Held, spool: (held: Held) => Promise<void>, log: Log): Promise<void> {
  while (held.parcel && !held.lost && held.message.isGone) {
    try {
      await spool(held);
    } catch (error) {
      log.error({ hopId: held.hopId, err: error }, 'its stream is gone, and the spool does not take it yet');
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    }
  }
}
