// The process whose disk fails (system calls fail under strace): commits one parcel after the other and says how each went.
import { writeSync } from 'node:fs';
import { hopIdOf, parcelOf } from './fixtures.ts';
import { openSpool } from './lmdb.ts';

const spool = await openSpool(process.argv[2] ?? '', { reserveBytes: 0 });
for (let number = 1; number <= 4; number++) {
  const outcome = await spool.commit([{ kind: 'put', parcel: parcelOf(number) }]).then(
    () => 'durable',
    (error: Error) => error.name,
  );
  const failure = spool.stats().failure === null ? 'fine' : 'failing';
  writeSync(1, `${outcome} ${spool.knows(hopIdOf(number))} ${failure}\n`);
}
await spool.close();
