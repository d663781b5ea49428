// A spool filled directly, as if so many parcels had been deferred; and what such a parcel is, so that it can be told again later.
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { HopId, Parcel, ParcelId } from '../mta/message/parcel.ts';
import { parcelOf, recipient } from '../mta/spool/fixtures.ts';
import { type LmdbSpool, openSpool } from '../mta/spool/lmdb.ts';
import type { SpoolChange } from '../mta/spool/port.ts';

export const IN_FLIGHT = 50;
/** Parcels put by one commit: filling is not what is measured. */
const AT_ONCE = 20;

/** Runs `one` for each number below `count`, so many at a time. */
export async function each(count: number, one: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async () => {
    for (let number = next++; number < count; number = next++) await one(number);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}

export interface Filling {
  readonly count: number;
  /** SendingPool as namespace/name. */
  readonly pool: string;
  readonly acceptedAt: number;
  /** When the recipient of number n is due, ms since the epoch. */
  readonly dueAt: (number: number) => number;
  readonly domains: readonly string[];
}

/** What the texts of messages are cut out of, lines of 78 bytes: no two of them are alike, or a hand-over's compression would flatter. */
const TEXTS = Buffer.from(randomBytes(12_000_000).toString('base64').replace(/.{76}/g, '$&\r\n'));
const LINE_BYTES = 78;
const TEXT_BYTES = 131 * LINE_BYTES;
/** Odd, and far from a multiple of a text, so that neighbours do not overlap. */
const STRIDE = 12_289;

/** 10 KB of text, of this number always the same in a process. */
function textOf(number: number): Buffer {
  const places = Math.floor((TEXTS.length - TEXT_BYTES) / LINE_BYTES);
  const start = ((number * STRIDE) % places) * LINE_BYTES;
  return TEXTS.subarray(start, start + TEXT_BYTES);
}

/** Parcel `number` of a filling: every field that a hand-over has to keep differs from the preset. Ids are hashes, as in life. */
export function deferredParcel(number: number, filling: Filling): Parcel {
  const { pool, acceptedAt, dueAt, domains } = filling;
  const address = `r${number}@${domains[number % domains.length]}`;
  const deferred = {
    ...recipient(address, dueAt(number)),
    attempts: 1 + (number % 7),
    lastReply: `451 4.7.1 come back later (${number})`,
    stickySource: `127.2.0.${1 + (number % 3)}`,
  };
  return parcelOf(number, {
    id: hash(`parcel ${number}`) as ParcelId,
    hopId: hash(`hop ${number}`) as HopId,
    pool,
    acceptedAt: acceptedAt + number,
    recipients: [deferred],
    message: Buffer.concat([Buffer.from(`Subject: ${number}\r\n\r\n`), textOf(number)]),
  });
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);

/** Fills the spool in the folder; gives its parcels' hop ids. */
export async function fillSpoolAt(folder: string, filling: Filling): Promise<readonly HopId[]> {
  mkdirSync(folder, { recursive: true });
  const spool = await openSpool(folder);
  const ids = await fillSpool(spool, filling);
  await spool.close();
  return ids;
}

/** Puts the parcels of a filling; gives their hop ids. */
export async function fillSpool(
  spool: LmdbSpool,
  filling: Filling,
  atOnce: number = AT_ONCE,
): Promise<readonly HopId[]> {
  const ids: HopId[] = [];
  await each(Math.ceil(filling.count / atOnce), async (batch) => {
    const changes: SpoolChange[] = [];
    for (let number = batch * atOnce; number < Math.min(filling.count, (batch + 1) * atOnce); number++)
      changes.push({ kind: 'put', parcel: deferredParcel(number, filling) });
    await spool.commit(changes);
    for (const change of changes) if (change.kind === 'put') ids.push(change.parcel.hopId);
  });
  return ids;
}
