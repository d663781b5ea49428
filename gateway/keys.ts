// Keys: the credentials of an account, for SMTP AUTH and the HTTP API.
import { accountNamed } from './accounts.ts';
import type { Queryable } from './db.ts';
import { Refusal } from './refusal.ts';
import { newToken } from './token.ts';

export interface Key {
  readonly id: string;
  readonly account: string;
  readonly name: string;
  readonly last4: string;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
}

/** What authentication needs of a key. */
export interface KeyRecord {
  readonly id: string;
  readonly account: string;
  readonly hash: Buffer;
}

/** Makes a key; the token is in the answer and nowhere else. @throws Refusal when there is no such account. */
export async function createKey(
  database: Queryable,
  account: string,
  name: string,
): Promise<Key & { readonly token: string }> {
  const { id: accountId } = await accountNamed(database, account);
  const { id, token, hash, last4 } = newToken();
  const { rows } = await database.query<{ createdAt: Date }>(
    'insert into api_key (id, account_id, name, hash, last4) values ($1, $2, $3, $4, $5) returning created_at as "createdAt"',
    [id, accountId, name, hash, last4],
  );
  return { id, account, name, last4, createdAt: rows[0]?.createdAt ?? new Date(), revokedAt: null, token };
}

export async function listKeys(database: Queryable, account: string | null): Promise<readonly Key[]> {
  if (account !== null) await accountNamed(database, account);
  const { rows } = await database.query<Key>(
    `select k.id, a.name as account, k.name, k.last4, k.created_at as "createdAt", k.revoked_at as "revokedAt"
       from api_key k join account a on a.id = k.account_id
      where $1::text is null or a.name = $1 order by a.name, k.created_at, k.id`,
    [account],
  );
  return rows;
}

/** Revokes a key; ingress forgets it within its cache time. @throws Refusal when it is unknown or revoked already. */
export async function revokeKey(database: Queryable, id: string): Promise<void> {
  const { rows } = await database.query<{ before: Date | null }>(
    `with old as (select id, revoked_at from api_key where id = $1 for update)
     update api_key k set revoked_at = coalesce(k.revoked_at, now()) from old where k.id = old.id
     returning old.revoked_at as before`,
    [id],
  );
  if (!rows[0]) throw new Refusal(`there is no key ${id}: postfleet key list`);
  if (rows[0].before) throw new Refusal(`key ${id} was revoked at ${rows[0].before.toISOString()}`);
}

/** The key of that id if it is not revoked, else null. */
export async function findKey(database: Queryable, id: string): Promise<KeyRecord | null> {
  const { rows } = await database.query<KeyRecord>({
    name: 'find-key',
    text: `select k.id, a.name as account, k.hash from api_key k join account a on a.id = k.account_id
            where k.id = $1 and k.revoked_at is null`,
    values: [id],
  });
  return rows[0] ?? null;
}
