// The process that the crash test kills: commits for ever, several at a time, and names each commit once it is durable.
// Commit n holds parcel n (two recipients) and finishes parcel n - 3: both or nothing.
import { writeSync } from 'node:fs';
import { hopIdOf, parcelOf, recipient } from './fixtures.ts';
import { openSpool } from './lmdb.ts';
import type { SpoolChange } from './port.ts';

const [dir = '', first = '1'] = process.argv.slice(2);
const spool = await openSpool(dir, { reserveBytes: 0 });
let next = Number(first);

async function writeForEver(): Promise<never> {
  for (;;) {
    const number = next++;
    const recipients = [recipient('a@example.test'), recipient('b@example.test', 5)];
    const message = Buffer.alloc(5000 + (number % 7) * 1000, `message ${number} `);
    const old = hopIdOf(number - 3);
    await spool.commit([
      { kind: 'put', parcel: parcelOf(number, { recipients, message }) },
      ...[0, 1].map((index): SpoolChange => ({ kind: 'remove', hopId: old, index })),
    ]);
    writeSync(1, `${number}\n`);
  }
}
// Three at a time, so that parcel n - 3 is always of an earlier turn of the same loop.
await Promise.all([writeForEver(), writeForEver(), writeForEver()]);
