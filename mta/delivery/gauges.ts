// The numbers of an engine that gauges read when they are scraped.
import type { Spool } from '../spool/port.ts';
import type { Hand } from './hand.ts';
import type { GaugeSources } from './metrics.ts';
import type { Clock, Sender } from './ports.ts';

interface Measured {
  readonly spool: Pick<Spool, 'stats'>;
  readonly clock: Clock;
  readonly sender: Sender;
  readonly hand: Pick<Hand, 'size'>;
  /** Under way. */
  readonly attempts: () => number;
  /** The spool has been closed, and a scrape may still come. */
  readonly closed: () => boolean;
}

export function gaugeSources({ spool, clock, sender, hand, attempts, closed }: Measured): GaugeSources {
  let last = spool.stats();
  const stats = () => {
    if (!closed()) last = spool.stats();
    return last;
  };
  const age = (acceptedAt: number | null) =>
    acceptedAt === null ? 0 : Math.max(0, (clock.now() - acceptedAt) / 1000);
  return {
    queueRecipients: () => stats().entries,
    oldestAgeSeconds: () => age(stats().oldestAcceptedAt),
    inFlight: attempts,
    inHand: () => hand.size,
    spoolBytes: () => stats().bytes,
    spoolFreeBytes: () => stats().freeBytes,
    connections: () => sender.connections(),
  };
}
