// A spool filled directly, as if so many parcels had been deferred.
import { randomBytes } from 'node:crypto';
import type { HopId } from '../mta/message/parcel.ts';
import { parcelOf, recipient } from '../mta/spool/fixtures.ts';
import type { LmdbSpool } from '../mta/spool/lmdb.ts';

export const IN_FLIGHT = 50;

/** Runs `one` for each number below `count`, so many at a time. */
export async function each(count: number, one: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async () => {
    for (let number = next++; number < count; number = next++) await one(number);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}

/** Puts `count` parcels of 10 KB to 20 domains; the recipient of number n is due at `dueAt` + n ms. Gives their hop ids. */
export async function fillSpool(spool: LmdbSpool, count: number, dueAt: number): Promise<readonly HopId[]> {
  const ids: HopId[] = [];
  const text = randomBytes(7500).toString('base64');
  const acceptedAt = Date.now();
  await each(count, async (number) => {
    // Ids as they are in life: hashes, so that every table is written at random places.
    const hopId = randomBytes(16).toString('hex') as HopId;
    const message = Buffer.from(`Subject: ${number}\r\n\r\n${text}`);
    const recipients = [recipient(`r${number}@d${number % 20}.test`, dueAt + number)];
    const parcel = parcelOf(number, { hopId, message, recipients, acceptedAt });
    await spool.commit([{ kind: 'put', parcel }]);
    ids.push(hopId);
  });
  return ids;
}
