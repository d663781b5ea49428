// The limits of one (address, provider) out of the policies of the pools that send from the address. Pure.
import type { PairLimits } from '../../policy/limits/pair.ts';
import type { Limits } from '../../policy/provider.ts';

export const pairLimits = (limits: Limits): PairLimits => ({
  connections: limits.connections,
  messagesPerConnection: limits.messagesPerConnection,
  attemptsPerMinute: limits.connectionAttemptsPerMinute ?? null,
  messages: {
    second: limits.perSecond ?? null,
    minute: limits.perMinute ?? null,
    hour: limits.perHour ?? null,
    day: limits.perDay ?? null,
  },
});

/** What satisfies both: pools that share an address share its reputation, so the strictest of their policies holds for all of them. */
export const strictest = (a: Limits, b: Limits): Limits => ({
  connections: Math.min(a.connections, b.connections),
  messagesPerConnection: Math.min(a.messagesPerConnection, b.messagesPerConnection),
  connectionAttemptsPerMinute: least(a.connectionAttemptsPerMinute, b.connectionAttemptsPerMinute),
  perSecond: least(a.perSecond, b.perSecond),
  perMinute: least(a.perMinute, b.perMinute),
  perHour: least(a.perHour, b.perHour),
  perDay: least(a.perDay, b.perDay),
});

const least = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b);
