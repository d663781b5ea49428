// What the spool costs: CPU of holding parcels, and how a pod with 100,000 of them starts. `node bench/spool.ts`
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HopId } from '../mta/message/parcel.ts';
import { openSpool } from '../mta/spool/lmdb.ts';
import { type Figure, recordFigures, rounded } from './figures.ts';
import { each, fillSpool, IN_FLIGHT } from './fill-spool.ts';

const PARCELS = 100_000;
const CONDITIONS = `${PARCELS} parcels of 10 KB, one recipient each, ${IN_FLIGHT} commits in flight`;
const MB = 1024 * 1024;
const DOMAINS = Array.from({ length: 20 }, (_, i) => `d${i}.test`);
const FILLING = { count: PARCELS, pool: 'mail/main', domains: DOMAINS };

/** CPU seconds, wall seconds of `work`. */
async function measured(work: () => Promise<void>) {
  const [cpu, start] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) / 1e6, wall: (performance.now() - start) / 1000 };
}

const per1000 = (seconds: number, count: number): number => rounded((seconds / count) * 1000);

async function holdAndFinish(dir: string): Promise<Figure[]> {
  const spool = await openSpool(dir);
  let ids: readonly HopId[] = [];
  const now = Date.now();
  const put = await measured(async () => {
    ids = await fillSpool(spool, { ...FILLING, acceptedAt: now, dueAt: (number) => now + number }, 1);
  });
  const ready = ['spool_100k_ready_seconds', 'spool_100k_rss_mb', 'spool_100k_read_rss_mb'];
  await spool.close();
  const started = JSON.parse(
    execFileSync(process.execPath, [import.meta.filename, dir], { encoding: 'utf8' }),
  ) as number[];
  const again = await openSpool(dir);
  const finish = await measured(() =>
    each(10_000, (number) => again.commit([{ kind: 'remove', hopId: ids[number] as HopId, index: 0 }])),
  );
  await again.close();
  return [
    {
      figure: 'spool_commit_cpu_seconds_per_1000',
      value: per1000(put.cpu, PARCELS),
      unit: 's',
      conditions: CONDITIONS,
    },
    {
      figure: 'spool_commits_per_second',
      value: rounded(PARCELS / put.wall),
      unit: '1/s',
      conditions: CONDITIONS,
    },
    {
      figure: 'spool_remove_cpu_seconds_per_1000',
      value: per1000(finish.cpu, 10_000),
      unit: 's',
      conditions: 'the same spool, 10,000 parcels finished',
    },
    ...ready.map((figure, at) => ({
      figure,
      value: rounded(started[at] ?? Number.NaN),
      unit: figure.endsWith('seconds') ? 's' : 'MiB',
      conditions: `a fresh process on it: opened, first 500 due listed${at === 2 ? ', then every message read once' : ''}`,
    })),
  ];
}

/** The fresh process: seconds until ready, RSS then, and the highest RSS while it reads every message. */
async function startOn(dir: string): Promise<number[]> {
  const start = performance.now();
  const spool = await openSpool(dir);
  spool.due(Date.now() + 1e9, 500, () => false);
  const seconds = (performance.now() - start) / 1000;
  const rss = process.memoryUsage.rss();
  let highest = rss;
  let after: HopId | null = null;
  for (let ids = spool.held(after, 1000); ids.length > 0; ids = spool.held(after, 1000)) {
    for (const [at, hopId] of ids.entries()) {
      spool.message(hopId);
      if (at % IN_FLIGHT > 0) continue;
      highest = Math.max(highest, process.memoryUsage.rss());
      // As in a pod at work: results are committed between the reads.
      await spool.commit([{ kind: 'moving', hopId, to: null }]);
    }
    after = ids.at(-1) ?? null;
  }
  await spool.close();
  return [seconds, rss / MB, highest / MB];
}

const given = process.argv[2];
if (given) console.log(JSON.stringify(await startOn(given)));
else {
  const dir = mkdtempSync(join(tmpdir(), 'spool-bench-'));
  try {
    recordFigures('spool', await holdAndFinish(dir));
  } finally {
    rmSync(dir, { recursive: true });
  }
}
