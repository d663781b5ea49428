// A delivery pod that holds 100,000 deferred messages: how soon it is ready again after its process ended, by SIGTERM and by
// kill -9, with the volume's pages not in memory, and how much memory it takes while it then delivers other mail.
//   node bench/spool-restart.ts
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RolePod } from '../e2e/rig/fleet.ts';
import { runRound } from './contender.ts';
import { countsOf, dropCache, type Memory, memoryMb, startAgain } from './delivery.ts';
import { type Figure, recordFigures, rounded } from './figures.ts';
import { fillSpoolAt } from './fill-spool.ts';
import { enterOwnNetwork } from './namespace.ts';
import { type Postfleet, startPostfleet } from './postfleet.ts';
import { startSinks } from './sink.ts';

const PARCELS = 100_000;
const IN_AN_HOUR = 3_600_000;
const DOMAINS = Array.from({ length: 20 }, (_, i) => `d${i}.test`);
const PASSING = { messages: 15_000, sessions: 50, bytes: 10_000, domains: DOMAINS };
const SIGNALS = ['SIGTERM', 'SIGKILL', 'SIGKILL'] as const;

enterOwnNetwork();
const dir = mkdtempSync(join(tmpdir(), 'postfleet-restart-'));
const sinks = startSinks(DOMAINS.length);
try {
  await fillSpoolAt(join(dir, 'spool'), {
    count: PARCELS,
    pool: 'rig/main',
    acceptedAt: Date.now(),
    dueAt: (number) => Date.now() + IN_AN_HOUR + number,
    domains: DOMAINS,
  });
  const routes = new Map(DOMAINS.map((domain, i) => [domain, sinks.addresses[i] as string]));
  const postfleet = await startPostfleet('news@bench.test', routes, { volume: { dir, recipients: PARCELS } });
  try {
    recordFigures('spool-restart', await restarts(postfleet));
  } finally {
    await postfleet.stop();
  }
} finally {
  await sinks.stop();
  rmSync(dir, { recursive: true, force: true });
}

async function restarts(postfleet: Postfleet): Promise<Figure[]> {
  const pod = postfleet.fleet.deliveries[0] as RolePod;
  let { child } = pod;
  const seconds: number[] = [];
  for (const signal of SIGNALS) {
    await child.stop(signal);
    dropCache(dir);
    const started = performance.now();
    child = await startAgain(pod);
    seconds.push((performance.now() - started) / 1000);
    const { queued } = await countsOf(postfleet.fleet, pod);
    if (queued !== PARCELS) throw new Error(`it holds ${queued} recipients, not ${PARCELS}`);
  }
  const pid = child.process.pid as number;
  const ready = memoryMb(pid);
  try {
    await runRound({ ...postfleet, pids: { delivery: pid } }, sinks, PASSING);
    return figures(seconds, ready, memoryMb(pid));
  } finally {
    await child.stop();
  }
}

function figures(seconds: readonly number[], ready: Memory, worked: Memory): Figure[] {
  const held = `${PARCELS} deferred messages of 10 KB in the spool`;
  const passing = `${held}, ${PASSING.messages} others delivered meanwhile`;
  const figure = (name: string, value: number, unit: string, conditions: string): Figure => ({
    ...{ figure: `delivery_100k_${name}`, value: rounded(value), unit, conditions },
  });
  const slowest = Math.max(...seconds);
  return [
    figure('ready_seconds', slowest, 's', `${held}, page cache cold; slowest of ${SIGNALS.join(', ')}`),
    figure('memory_mb', worked.highest, 'MB', `highest RSS since the start; ${passing}`),
    figure('memory_anon_mb', worked.anon, 'MB', `RssAnon at the end; ${passing}`),
    figure('ready_memory_mb', ready.rss, 'MB', `RSS when ready; ${held}`),
    figure('ready_memory_anon_mb', ready.anon, 'MB', `RssAnon when ready; ${held}`),
  ];
}
