// A delivery pod with 1,000,000 spooled messages of 10 KB, some of them due: how soon it is ready and has delivered its first after a
// start with nothing of its volume in memory, how fast it delivers what is due, and the memory that takes.
//   node bench/spool-million.ts [parcels] [due]      needs 14 GB on the disk of the temporary folder
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RolePod } from '../e2e/rig/fleet.ts';
import { countsOf, dropCache, type Memory, memoryMb, startAgain } from './delivery.ts';
import { type Figure, recordFigures, rounded } from './figures.ts';
import { fillSpoolAt } from './fill-spool.ts';
import { enterOwnNetwork } from './namespace.ts';
import { type Postfleet, startPostfleet } from './postfleet.ts';
import { type Sinks, startSinks } from './sink.ts';

const [parcels = 1_000_000, due = 10_000] = process.argv.slice(2).map(Number);
const EVERY = Math.floor(parcels / due);
const LATER_MS = 6 * 3_600_000;
const DOMAINS = Array.from({ length: 20 }, (_, i) => `d${i}.test`);
const MOST_MS = 600_000;

interface Outcome {
  readonly fillSeconds: number;
  readonly readySeconds: number;
  readonly firstSeconds: number;
  readonly drainedSeconds: number;
  readonly memory: Memory;
}

enterOwnNetwork();
const dir = mkdtempSync(join(tmpdir(), 'postfleet-million-'));
const sinks = startSinks(DOMAINS.length);
try {
  const filled = performance.now();
  await fill();
  const fillSeconds = (performance.now() - filled) / 1000;
  const routes = new Map(DOMAINS.map((domain, i) => [domain, sinks.addresses[i] as string]));
  const postfleet = await startPostfleet('news@bench.test', routes);
  try {
    recordFigures('spool-million', figures({ fillSeconds, ...(await measure(postfleet, sinks)) }));
  } finally {
    await postfleet.stop();
  }
} finally {
  await sinks.stop();
  rmSync(dir, { recursive: true, force: true });
}

/** One in `EVERY` is due already, spread over the whole spool. */
async function fill(): Promise<void> {
  const now = Date.now();
  await fillSpoolAt(join(dir, 'spool'), {
    count: parcels,
    pool: 'rig/main',
    acceptedAt: now - 3_600_000,
    dueAt: (number) => (isDue(number) ? now - 1000 : now + LATER_MS + number),
    domains: DOMAINS,
  });
}

function isDue(number: number): boolean {
  // Not a multiple of the number of domains, so that each has its part.
  return number % EVERY === Math.floor(number / EVERY) % Math.min(EVERY, DOMAINS.length);
}

/** The pod starts on the big volume with nothing known of the fleet, as after a move to another node. */
async function measure({ fleet }: Postfleet, { received }: Sinks): Promise<Omit<Outcome, 'fillSeconds'>> {
  const pod = fleet.deliveries[0] as RolePod;
  await pod.child.stop('SIGKILL');
  dropCache(dir);
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  const onVolume = { ...pod, env: { ...pod.env, POSTFLEET_SPOOL_DIR: dir } };
  const first = untilSeen(() => received() > 0).then(seconds);
  const child = await startAgain(onVolume, MOST_MS);
  const readySeconds = seconds();
  try {
    const firstSeconds = await first;
    const isDrained = async () => (await countsOf(fleet, pod)).queued === parcels - due;
    await untilSeen(isDrained, 500);
    const drainedSeconds = seconds();
    if (received() !== due) throw new Error(`${received()} messages came, of ${due} that were due`);
    return { readySeconds, firstSeconds, drainedSeconds, memory: memoryMb(child.process.pid as number) };
  } finally {
    await child.stop();
  }
}

async function untilSeen(check: () => boolean | Promise<boolean>, everyMs = 20): Promise<void> {
  const end = performance.now() + MOST_MS;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`waited ${MOST_MS} ms`);
    await delay(everyMs);
  }
}

function figures(outcome: Outcome): Figure[] {
  const { fillSeconds, readySeconds, firstSeconds, drainedSeconds, memory } = outcome;
  const conditions = `${parcels} messages of 10 KB in the spool, ${due} of them due, page cache cold, nothing remembered of the fleet`;
  const figure = (name: string, value: number, unit: string): Figure => ({
    ...{ figure: `delivery_million_${name}`, value: rounded(value), unit, conditions },
  });
  return [
    figure('filled_seconds', fillSeconds, 's'),
    figure('ready_seconds', readySeconds, 's'),
    figure('first_delivery_seconds', firstSeconds, 's'),
    figure('due_delivered_seconds', drainedSeconds, 's'),
    figure('due_per_second', due / (drainedSeconds - firstSeconds), '1/s'),
    figure('memory_highest_mb', memory.highest, 'MB'),
    figure('memory_anon_mb', memory.anon, 'MB'),
  ];
}
