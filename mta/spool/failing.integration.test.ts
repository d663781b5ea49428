// A disk that fails: system calls of the spool's process are made to fail with EIO by strace.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hopIdOf } from './fixtures.ts';
import { openSpool } from './lmdb.ts';

const WITH_STRACE = existsSync('/usr/bin/strace') ? describe : describe.skip;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spool-fail-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

WITH_STRACE('[needs strace]', () => {
  // The calls of a commit: its pages by writev or pwrite64, one fdatasync, the meta page by pwrite64. One thread, so they can be counted.
  test.each([
    ['fdatasync', 1],
    ['fdatasync', 2],
    ['pwrite64', 1],
    ['pwrite64', 2],
    ['pwrite64', 3],
    ['pwrite64', 4],
    ['pwrite64', 5],
    ['writev', 1],
  ])(
    'the commit during which %s number %d fails is refused whole, and the next ones go through',
    async (call, when) => {
      const dir = join(folder, 'spool');
      await (await openSpool(dir, { reserveBytes: 0 })).close();
      const inject = [
        '-f',
        '-o',
        join(folder, 'calls'),
        '-e',
        `trace=${call}`,
        '-e',
        `inject=${call}:error=EIO:when=${when}`,
      ];
      const child = [process.execPath, join(import.meta.dirname, 'faulty.fixture.ts'), dir];
      const run = spawnSync('strace', [...inject, ...child], {
        env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
        encoding: 'utf8',
        timeout: 20_000,
      });
      // lmdb-js 3.5.6 has 100 bytes for its words about a failed write and writes more (mdb.c, mdb_page_flush): glibc may end the process
      // for that. What it has said until then must be true all the same.
      const isEnded = run.signal === 'SIGABRT' || run.status === 134;
      if (!isEnded) expect(run.status).toBe(0);
      const outcomes = run.stdout.split('\n').filter(Boolean);
      const injected = readFileSync(join(folder, 'calls'), 'utf8').split('INJECTED').length - 1;
      expect(injected).toBe(1);
      const refused = outcomes.filter((outcome) => outcome === 'SpoolWriteError null failing');
      const durable = outcomes.filter((outcome) => outcome === 'durable held fine');
      expect(refused.length + durable.length).toBe(outcomes.length);
      if (!isEnded) expect([refused.length, durable.length]).toEqual([1, 3]);
      const spool = await openSpool(dir, { reserveBytes: 0 });
      const held = outcomes.map((_, at) => spool.knows(hopIdOf(at + 1)) === 'held');
      expect(held).toEqual(outcomes.map((outcome) => outcome.startsWith('durable')));
      if (!isEnded) expect(spool.stats().parcels).toBe(durable.length);
      await spool.close();
    },
  );

  test('a commit resolves after one sync for all that came together and a synchronous write of the meta page', () => {
    const log = join(folder, 'calls');
    const script = `
      import { openSpool } from ${JSON.stringify(join(import.meta.dirname, 'lmdb.ts'))};
      import { parcelOf } from ${JSON.stringify(join(import.meta.dirname, 'fixtures.ts'))};
      import { writeSync } from 'node:fs';
      const spool = await openSpool(${JSON.stringify(join(folder, 'spool'))}, { reserveBytes: 0 });
      writeSync(1, 'BEGIN');
      await Promise.all(Array.from({ length: 50 }, (_, at) => spool.commit([{ kind: 'put', parcel: parcelOf(at) }])));
      writeSync(1, 'DURABLE');
      process.exit();`;
    const trace = ['-f', '-y', '-o', log, '-e', 'trace=openat,pwrite64,pwritev,fdatasync,write'];
    const child = [process.execPath, '--input-type=module', '-e', script];
    execFileSync('strace', [...trace, ...child], { stdio: 'ignore' });
    const lines = readFileSync(log, 'utf8').split('\n');
    const place = (mark: string) => lines.findIndex((line) => line.includes(mark));
    const writes = lines
      .slice(place('"BEGIN"'), place('"DURABLE"'))
      .flatMap(
        (line) => /(pwrite64|pwritev|fdatasync)\((\d+)<\S*data\.mdb>/.exec(line)?.slice(1, 3).join(' ') ?? [],
      );
    const synchronous = lines.flatMap((line) =>
      /O_DSYNC/.test(line) ? (/= (\d+)</.exec(line)?.[1] ?? []) : [],
    );
    expect(writes.filter((write) => write.startsWith('fdatasync'))).toHaveLength(1);
    expect(writes.at(-2)).toMatch(/^fdatasync/);
    expect(synchronous.map((descriptor) => `pwrite64 ${descriptor}`)).toContain(writes.at(-1));
  }, 30_000);
});
