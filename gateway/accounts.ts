// Accounts: who may send. Names are what SendingDomains and parcels call them by.
import type { Queryable } from './db.ts';
import { Refusal } from './refusal.ts';

export interface Account {
  readonly id: number;
  readonly name: string;
  readonly createdAt: Date;
}

/** As SendingDomain's `accounts` spells it. */
const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const COLUMNS = 'id, name, created_at as "createdAt"';

/** @throws Refusal when the name is malformed or taken. */
export async function createAccount(database: Queryable, name: string): Promise<Account> {
  if (!NAME.test(name))
    throw new Refusal(`"${name}" is no account name: lower-case letters, digits and "-", at most 63`);
  const { rows } = await database.query<Account>(
    `insert into account (name) values ($1) on conflict (name) do nothing returning ${COLUMNS}`,
    [name],
  );
  if (!rows[0]) throw new Refusal(`account ${name} exists already`);
  return rows[0];
}

export async function listAccounts(database: Queryable): Promise<readonly Account[]> {
  return (await database.query<Account>(`select ${COLUMNS} from account order by name`)).rows;
}

/** @throws Refusal when there is none of that name. */
export async function accountNamed(database: Queryable, name: string): Promise<Account> {
  const { rows } = await database.query<Account>(`select ${COLUMNS} from account where name = $1`, [name]);
  if (!rows[0]) throw new Refusal(`there is no account ${name}: postfleet account create ${name}`);
  return rows[0];
}
