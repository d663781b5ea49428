// The suppression list: addresses an account must not send to. Asked at acceptance, and again before every attempt.
import { accountNamed } from './accounts.ts';
import { type Database, inTransaction, type Queryable } from './db.ts';
import { normaliseAddress, suppressionKey } from './suppression_key.ts';

export interface Pair {
  readonly account: string;
  readonly address: string;
}
export interface Suppressed {
  readonly address: string;
  readonly createdAt: Date;
}

const CHUNK = 10_000;

/** Which of the pairs are suppressed, in their order, in one statement. Rejects when PostgreSQL does not answer. */
export async function suppressed(database: Queryable, pairs: readonly Pair[]): Promise<readonly boolean[]> {
  if (pairs.length === 0) return [];
  const { rows } = await database.query<{ i: string }>({
    name: 'suppressed',
    text: `select q.i from unnest($1::text[], $2::uuid[]) with ordinality as q(account, k, i)
             join account a on a.name = q.account
             join suppression s on s.account_id = a.id and s.k = q.k`,
    values: [pairs.map(({ account }) => account), pairs.map(({ address }) => suppressionKey(address))],
  });
  const hits = new Set(rows.map(({ i }) => Number(i) - 1));
  return pairs.map((_, i) => hits.has(i));
}

/** Which of the addresses the account must not send to, spelled as they were asked. */
export async function isSuppressed(
  database: Queryable,
  account: string,
  addresses: readonly string[],
): Promise<Set<string>> {
  const answers = await suppressed(
    database,
    addresses.map((address) => ({ account, address })),
  );
  return new Set(addresses.filter((_, i) => answers[i]));
}

const ADD = `insert into suppression (account_id, k, addr)
  select distinct on (k) $1::int4, k, addr from unnest($2::uuid[], $3::text[]) as q(k, addr) order by k
  on conflict do nothing`;
const REMOVE = `delete from suppression s using unnest($2::uuid[], $3::text[]) as q(k, addr)
  where s.account_id = $1 and s.k = q.k`;

/** Adds addresses, all or none; gives how many were new. @throws Refusal when there is no such account. */
export const addSuppressed = (database: Database, account: string, addresses: readonly string[]) =>
  change(database, account, addresses, ADD);

/** Removes addresses, all or none; gives how many were there. @throws Refusal when there is no such account. */
export const removeSuppressed = (database: Database, account: string, addresses: readonly string[]) =>
  change(database, account, addresses, REMOVE);

async function change(database: Database, account: string, addresses: readonly string[], statement: string) {
  const { id } = await accountNamed(database, account);
  const rows = addresses.map((address) => [suppressionKey(address), normaliseAddress(address)] as const);
  // In the order of the index: a fifth faster, and two of them at once cannot deadlock.
  rows.sort(([a], [b]) => (a < b ? -1 : 1));
  return inTransaction(database, async (client) => {
    let changed = 0;
    for (let at = 0; at < rows.length; at += CHUNK) {
      const chunk = rows.slice(at, at + CHUNK);
      const values = [id, chunk.map(([key]) => key), chunk.map(([, address]) => address)];
      changed += (await client.query(statement, values)).rowCount ?? 0;
    }
    return changed;
  });
}

/** At most `limit` addresses after `after` in the order of their key. */
export async function listSuppressed(
  database: Queryable,
  account: string,
  after: string | null,
  limit: number,
): Promise<readonly Suppressed[]> {
  const { id } = await accountNamed(database, account);
  const { rows } = await database.query<Suppressed>(
    `select addr as address, created_at as "createdAt" from suppression
      where account_id = $1 and ($2::uuid is null or k > $2) order by k limit $3`,
    [id, after === null ? null : suppressionKey(after), limit],
  );
  return rows;
}
