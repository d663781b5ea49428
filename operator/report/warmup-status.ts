// What an IPPool's status says of the warm-up of its addresses. Pure.
import { causeText } from '../../mta/policy/warmup/health.ts';
import { planFor, type WarmupPool } from '../../mta/policy/warmup/plan.ts';
import { type LedgerRecord, rolled, stageOf } from '../../mta/policy/warmup/record.ts';
import type { NewCondition } from '../../resources/conditions.ts';
import type { IPPoolStatus } from '../../resources/kinds.ts';

export type WarmupStatus = NonNullable<IPPoolStatus['addresses'][number]['warmup']>[number];

/** Of one address: the providers that get most; hundreds of small hosts would make the status unreadable. */
const MOST_PROVIDERS = 12;
/** In a sentence. */
const MOST_NAMED = 3;

/** Of one address, by provider: the suspended first, then by use. A day that is over is shown as the next one begins. */
export function warmupOf(
  address: string,
  pool: WarmupPool,
  ledgers: readonly LedgerRecord[],
  now: number,
): WarmupStatus[] {
  const all = ledgers
    // What goes on under the name that a policy has given the provider is shown there.
    .filter((one) => one.address === address && one.continuedAs === undefined)
    .flatMap((record) => {
      const plan = planFor(pool, address, record.provider);
      return plan ? [statusOf(rolled(record, now, plan))] : [];
    });
  const rank = ({ suspended }: WarmupStatus) => (suspended ? 0 : 1);
  return all
    .toSorted((a, b) => rank(a) - rank(b) || b.used - a.used || (a.provider < b.provider ? -1 : 1))
    .slice(0, MOST_PROVIDERS);
}

function statusOf(record: LedgerRecord): WarmupStatus {
  const { provider, allowance, used, suspended, closed } = record;
  return {
    provider,
    day: stageOf(record),
    ...(allowance !== null && { allowance }),
    used,
    ...(suspended && { suspended: sentence(suspended) }),
    ...(closed && closed.verdict !== 'Advance' && { verdict: closed.verdict, ...because(closed.cause) }),
  };
}

const because = (cause: NonNullable<LedgerRecord['closed']>['cause']): { readonly because?: string } =>
  cause ? { because: causeText(cause) } : {};
const sentence = (suspended: NonNullable<LedgerRecord['suspended']>): string =>
  causeText(suspended, suspended.reply);

type Seen = { readonly records: readonly LedgerRecord[] } | null;

/** A sentence for each (address, provider) that was suspended between two looks; nothing before the first. */
export function newSuspensions(before: Seen, now: Seen): string[] {
  if (!before) return [];
  const known = ({ address, provider, day, suspended }: LedgerRecord) =>
    suspended && `${address} ${provider} ${day}`;
  const old = new Set(before.records.map(known));
  return (now?.records ?? []).flatMap((record) => {
    const { address, provider, suspended } = record;
    if (!suspended || old.has(known(record))) return [];
    return [`nothing more goes from ${address} to ${provider} today: ${sentence(suspended)}`];
  });
}

export interface Shown {
  readonly address: string;
  readonly warmup?: readonly WarmupStatus[] | undefined;
}

/** "2/4": addresses with a limit by warm-up at some provider, of all. */
export function warmingColumn(addresses: readonly Shown[]): string {
  const warming = addresses.filter(({ warmup = [] }) =>
    warmup.some(({ allowance }) => allowance !== undefined),
  );
  return `${warming.length}/${addresses.length}`;
}

/** The addresses themselves while they are few: a column that is empty is a good one. */
export function suspendedColumn(addresses: readonly Shown[]): { readonly suspended?: string } {
  const stopped = addresses.filter(({ warmup = [] }) => warmup.some(({ suspended }) => suspended));
  return stopped.length > 0 ? { suspended: named(stopped, ({ address }) => address) } : {};
}

/** Whether all addresses rise as their schedules say. */
export function warmupCondition(addresses: readonly Shown[]): NewCondition {
  const found = addresses.flatMap(({ address, warmup = [] }) => warmup.map((one) => ({ address, ...one })));
  const suspended = found.filter((one) => one.suspended);
  if (suspended.length > 0)
    return {
      ...{ type: 'WarmupOnSchedule', status: 'False', reason: 'WarmupSuspended' },
      message: named(
        suspended,
        ({ address, provider, suspended: why }) => `${address} at ${provider}: ${why}`,
      ),
    };
  const held = found.filter((one) => one.verdict);
  if (held.length > 0)
    return {
      ...{ type: 'WarmupOnSchedule', status: 'False', reason: 'WarmupHeld' },
      message: named(
        held,
        ({ address, provider, verdict, because: why }) =>
          `${address} at ${provider}: ${verdict}${why ? ` after ${why}` : ''}`,
      ),
    };
  return {
    ...{ type: 'WarmupOnSchedule', status: 'True', reason: 'AsExpected' },
    message: 'every address rises as its schedule says',
  };
}

function named<T>(list: readonly T[], text: (one: T) => string): string {
  const more = list.length > MOST_NAMED ? ` and ${list.length - MOST_NAMED} more` : '';
  return list.slice(0, MOST_NAMED).map(text).join('; ') + more;
}
