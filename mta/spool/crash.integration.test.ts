import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { hopIdOf } from './fixtures.ts';
import { openSpool } from './lmdb.ts';

const WRITER = join(import.meta.dirname, 'writer.fixture.ts');
const ROUNDS = 8;

/** Lets a writer run until it has acknowledged `enough` commits, and kills it: in the middle of the next ones. */
async function writeAndKill(dir: string, first: number, enough: number): Promise<number[]> {
  const writer: ChildProcess = spawn(process.execPath, [WRITER, dir, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const acknowledged: number[] = [];
  if (!writer.stdout) throw new Error('the writer has no output');
  for await (const line of createInterface({ input: writer.stdout })) {
    acknowledged.push(Number(line));
    if (acknowledged.length === enough) writer.kill('SIGKILL');
  }
  if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
  expect(writer.signalCode).toBe('SIGKILL');
  return acknowledged;
}

test('what was acknowledged is there after kill -9, and no commit is there by half', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'spool-crash-'));
  try {
    let first = 1;
    for (let round = 0; round < ROUNDS; round++) {
      const enough = 1 + Math.floor(Math.random() * 150);
      const acknowledged = await writeAndKill(dir, first, enough);
      const last = Math.max(...acknowledged);
      const spool = await openSpool(dir, { reserveBytes: 0 });
      try {
        expect(acknowledged.filter((number) => spool.knows(hopIdOf(number)) === null)).toEqual([]);
        // Commits after the last acknowledged one may be there or not, but only whole.
        for (let number = first; number < last + 10; number++) {
          const standing = spool.knows(hopIdOf(number));
          if (standing === null) continue;
          if (number - 3 >= first)
            expect([number, spool.knows(hopIdOf(number - 3))]).toEqual([number, 'finished']);
          if (standing !== 'held') continue;
          expect(spool.entriesOf(hopIdOf(number))).toHaveLength(2);
          expect(spool.message(hopIdOf(number)).toString()).toMatch(new RegExp(`^message ${number} `));
        }
        const held = spool.held(null, 10_000);
        expect(spool.stats()).toMatchObject({ parcels: held.length, entries: 2 * held.length });
        expect(spool.due(9e12, 10_000, () => false)).toHaveLength(2 * held.length);
      } finally {
        await spool.close();
      }
      first = last + 100;
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
}, 60_000);
