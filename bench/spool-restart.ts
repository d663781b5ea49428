// A delivery pod that holds 100,000 deferred messages: how soon it is ready again after its process ended, by SIGTERM and by
// kill -9, with the volume's pages not in memory, and how much memory it takes while it then delivers other mail.
//   node bench/spool-restart.ts
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child, until } from '../e2e/rig/servers.ts';
import { openSpool } from '../mta/spool/lmdb.ts';
import { runRound } from './contender.ts';
import { type Figure, recordFigures, rounded } from './figures.ts';
import { fillSpool } from './fill-spool.ts';
import { enterOwnNetwork } from './namespace.ts';
import { type Postfleet, startPostfleet } from './postfleet.ts';
import { startSinks } from './sink.ts';

const PARCELS = 100_000;
const IN_AN_HOUR = 3_600_000;
const DOMAINS = Array.from({ length: 20 }, (_, i) => `d${i}.test`);
const PASSING = { messages: 15_000, sessions: 50, bytes: 10_000, domains: DOMAINS };
const SIGNALS = ['SIGTERM', 'SIGKILL', 'SIGKILL'] as const;
const MAIN = join(import.meta.dirname, '../cli/main.ts');

enterOwnNetwork();
const dir = mkdtempSync(join(tmpdir(), 'postfleet-restart-'));
const sinks = startSinks(DOMAINS.length);
try {
  await fill(join(dir, 'spool'));
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

async function fill(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const spool = await openSpool(folder);
  await fillSpool(spool, PARCELS, Date.now() + IN_AN_HOUR);
  await spool.close();
}

async function restarts(postfleet: Postfleet): Promise<Figure[]> {
  let child = postfleet.fleet.deliveries[0]?.child as Child;
  const seconds: number[] = [];
  for (const signal of SIGNALS) {
    await child.stop(signal);
    dropCache();
    const started = performance.now();
    child = await startDelivery(postfleet);
    seconds.push((performance.now() - started) / 1000);
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

/** As the kubelet restarts a container: the same pod, the same volume. Resolves when it says that it is ready. */
async function startDelivery({ fleet }: Postfleet): Promise<Child> {
  const pod = fleet.deliveries[0];
  if (!pod) throw new Error('the rig has no delivery pod');
  const child = new Child(process.execPath, [MAIN, 'delivery'], { name: pod.name, env: pod.env });
  const isReady = async () => {
    if (!child.running) throw new Error(child.output);
    return (await fetch(`http://127.0.0.1:${pod.metricsPort}/readyz`)).ok;
  };
  await until('the delivery pod to be ready', isReady, 60_000);
  const held = Number(
    /^postfleet_delivery_queue_recipients\{.*\} (\d+)$/m.exec(await fleet.metrics(pod))?.[1],
  );
  if (held !== PARCELS) throw new Error(`it holds ${held} recipients, not ${PARCELS}`);
  return child;
}

/** The spool's pages leave the page cache, as after the move of a volume to another node. */
function dropCache(): void {
  const file = join(dir, 'spool', 'data.mdb');
  execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
}

interface Memory {
  /** Everything resident, the spool's mapped pages included, which the kernel takes back when it needs them. */
  readonly rss: number;
  /** The process's own: heap and buffers. */
  readonly anon: number;
  /** The highest `rss` since the start. */
  readonly highest: number;
}

function memoryMb(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mb = (name: string) =>
    (Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) * 1024) / 1e6;
  return { rss: mb('VmRSS'), anon: mb('RssAnon'), highest: mb('VmHWM') };
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
