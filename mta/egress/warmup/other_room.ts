// Warm-up as one more bound on a grant (mta/egress/limits/port.ts).
import type { OtherRoom, Outcome, Room, RoomClaim } from '../limits/port.ts';
import type { Warmup, WarmupClaim } from './warmup.ts';

/** A grant has whole seconds, and none outlives its day. */
const SHORTEST_MS = 3_000;
/** How soon to come back when open grants have all of the slice, or NATS does not take the next. */
const BUSY_RETRY_MS = 500;
const AWAY_RETRY_MS = 5_000;

export function warmupRoom(warmup: Warmup): OtherRoom {
  return {
    room: (address, provider) => roomOf(warmup, address, provider),
    reserve: (address, provider) => warmup.reserve(address, provider),
    claim(address, provider, recipients) {
      const one = warmup.claim(address, provider, recipients);
      return one && Number.isFinite(one.until) ? claimOf(one) : null;
    },
  };
}

function roomOf(warmup: Warmup, address: string, provider: string): Room {
  const room = warmup.room(address, provider);
  const at = `${address} at ${provider}`;
  const untilTomorrow = () => (warmup.day(address, provider)?.endsInSeconds ?? 60) * 1000;
  switch (room.kind) {
    case 'Warmed':
      return { kind: 'open', recipients: Number.POSITIVE_INFINITY };
    case 'Open':
      if (untilTomorrow() < SHORTEST_MS) return none('WarmupBusy', `the day of ${at} ends`, SHORTEST_MS);
      return { kind: 'open', recipients: room.recipients };
    case 'Reserve': {
      const failure = warmup.failure(address, provider);
      if (!failure) return { kind: 'reserve' };
      return none('WarmupUnavailable', `nothing can be reserved for ${at}: ${failure}`, AWAY_RETRY_MS);
    }
    case 'Busy':
      return none('WarmupBusy', `what may be under way at once from ${at} is`, BUSY_RETRY_MS);
    case 'Exhausted':
      return none('WarmupExhausted', `the allowance of ${at} is used up for today`, untilTomorrow());
    case 'Suspended':
      return none('WarmupSuspended', `${at} is stopped for today: ${room.why}`, untilTomorrow());
  }
}

type NoRoom = Extract<Room, { kind: 'none' }>;
const none = (reason: NoRoom['reason'], message: string, retryMs: number): NoRoom => ({
  kind: 'none',
  reason,
  message,
  retryMs,
});

const claimOf = (one: WarmupClaim): RoomClaim => ({
  until: one.until,
  report({ accepted, deferred, ofAddress, bounced, reply }: Outcome) {
    one.report({ accepted, bounced, deferred: ofAddress, delayed: deferred - ofAddress, reply });
  },
  end: (used) => one.end(used),
});
