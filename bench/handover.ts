// A leaving pod hands its queue over: how long until two others hold all of it, what that costs, and that the leaving pod's
// memory does not grow with its queue. Afterwards every parcel is looked for: held exactly once, unchanged.
//   node bench/handover.ts [parcels] [nats-servers]      POSTFLEET_BENCH_PROFILE=<folder>: CPU profiles of the pods
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Fleet, type RolePod, startFleet } from '../e2e/rig/fleet.ts';
import type { Child } from '../e2e/rig/servers.ts';
import { cpuSeconds } from './cpu.ts';
import { countsOf, type Memory, memoryMb, startAgain } from './delivery.ts';
import { type Figure, recordFigures, rounded } from './figures.ts';
import { type Filling, fillSpoolAt } from './fill-spool.ts';
import { checkHeldOnce } from './held-once.ts';
import { enterOwnNetwork } from './namespace.ts';

const SHARDS = 8;
const IN_AN_HOUR = 3_600_000;
const DOMAINS = Array.from({ length: 20 }, (_, i) => `d${i}.test`);
const MOST_MS = 600_000;
const [parcels, servers] = process.argv.slice(2).map(Number);
const RUNS: readonly Run[] = parcels
  ? [{ parcels, servers: servers === 1 ? 1 : 3 }]
  : [
      { parcels: 10_000, servers: 3 },
      { parcels: 100_000, servers: 3 },
      { parcels: 100_000, servers: 1 },
    ];

interface Run {
  readonly parcels: number;
  readonly servers: 1 | 3;
}

interface Outcome {
  /** From the word "hand over" until the leaving pod's spool is empty, and until the others have everything durable. */
  readonly emptySeconds: number;
  readonly heldSeconds: number;
  readonly memory: { readonly before: Memory; readonly highestAnon: number; readonly after: Memory };
  /** CPU seconds by process. */
  readonly cpu: Readonly<Record<string, number>>;
}

enterOwnNetwork();
for (const run of RUNS) recordFigures('handover', figures(run, await measure(run)));

async function measure(run: Run): Promise<Outcome> {
  const profile = process.env.POSTFLEET_BENCH_PROFILE;
  const fleet = await startFleet({
    domain: 'bench.test',
    shards: SHARDS,
    addresses: [{ address: '127.2.0.1', ehlo: 'mta1.bench.test' }],
    dnsServers: ['127.0.0.1:5300'],
    natsServers: run.servers,
    deliveries: 3,
    ...(profile && { env: { delivery: { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profile}` } } }),
  });
  const [leaving, ...others] = [...fleet.deliveries].reverse() as [RolePod, ...RolePod[]];
  let child = leaving.child;
  try {
    await giveUpShards(fleet, leaving, others);
    await child.stop();
    const filling = fillingOf(run);
    const volume = (pod: RolePod) => join(pod.env.POSTFLEET_SPOOL_DIR as string, 'spool');
    await fillSpoolAt(volume(leaving), filling);
    child = await startAgain(leaving);
    const outcome = await handOver(fleet, { leaving, child, others }, run);
    await Promise.all([child, ...others.map((pod) => pod.child)].map((one) => one.stop()));
    await checkHeldOnce(volume(leaving), others.map(volume), filling);
    return outcome;
  } finally {
    await child.stop();
    await fleet.stop();
  }
}

function fillingOf({ parcels }: Run): Filling {
  const now = Date.now();
  const dueAt = (number: number) => now + IN_AN_HOUR + number;
  return { count: parcels, pool: 'rig/main', acceptedAt: now - IN_AN_HOUR, dueAt, domains: DOMAINS };
}

/** The leaving pod is cordoned and its shards are the others', as the operator does it before a hand-over. */
async function giveUpShards(fleet: Fleet, leaving: RolePod, others: readonly RolePod[]): Promise<void> {
  await fleet.assign((now) => ({
    ...now,
    members: now.members.map((one) => (one.pod === leaving.name ? { ...one, cordoned: true } : one)),
    shards: now.shards.map((shard) => {
      if (shard.owner?.uid !== leaving.uid) return shard;
      const { name: pod, uid } = others[shard.shard % others.length] as RolePod;
      const former = { uid: leaving.uid, stated: true };
      return { ...shard, epoch: shard.epoch + 1, owner: { pod, uid, node: 'local' }, former };
    }),
  }));
}

async function handOver(
  fleet: Fleet,
  { leaving, child, others }: { leaving: RolePod; child: Child; others: readonly RolePod[] },
  run: Run,
): Promise<Outcome> {
  const pid = child.process.pid as number;
  const pids = pidsOf(fleet, child, others);
  const cpuBefore = cpuOf(pids);
  const before = memoryMb(pid);
  let highestAnon = before.anon;
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  await fleet.assign((now) => ({
    ...now,
    members: now.members.map((one) => (one.pod === leaving.name ? { ...one, handOver: true } : one)),
  }));
  const isEmpty = async () => {
    highestAnon = Math.max(highestAnon, memoryMb(pid).anon);
    return (await countsOf(fleet, leaving)).queued === 0;
  };
  await untilSeen('the leaving pod to be empty', isEmpty);
  const emptySeconds = seconds();
  await untilSeen('the others to hold everything', () => areHeld(fleet, others, run.parcels));
  const heldSeconds = seconds();
  const spent = Object.entries(cpuOf(pids)).map(([name, cpu]) => [name, cpu - (cpuBefore[name] ?? 0)]);
  const memory = { before, highestAnon, after: memoryMb(pid) };
  return { emptySeconds, heldSeconds, memory, cpu: Object.fromEntries(spent) };
}

/** Asks four times a second: a scrape costs the pod milliseconds. */
async function untilSeen(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + MOST_MS;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`waited ${MOST_MS} ms for ${what}`);
    await delay(250);
  }
}

async function areHeld(fleet: Fleet, others: readonly RolePod[], parcels: number): Promise<boolean> {
  const counts = await Promise.all(others.map((pod) => countsOf(fleet, pod)));
  const sum = (of: 'queued' | 'inHand') => counts.reduce((all, one) => all + one[of], 0);
  if (sum('queued') > parcels) throw new Error(`${sum('queued')} recipients are held, of ${parcels}`);
  return sum('queued') === parcels && sum('inHand') === 0;
}

function pidsOf(fleet: Fleet, leaving: Child, others: readonly RolePod[]): Record<string, readonly number[]> {
  const pid = (child: Child) => child.process.pid as number;
  return {
    leaving: [pid(leaving)],
    receiving: others.map((pod) => pid(pod.child)),
    nats: fleet.nats.nodes.map((node) => pid(node.child)),
  };
}

function cpuOf(pids: Readonly<Record<string, readonly number[]>>): Record<string, number> {
  const sum = (all: readonly number[]) => all.reduce((total, pid) => total + cpuSeconds(pid), 0);
  return Object.fromEntries(Object.entries(pids).map(([name, all]) => [name, sum(all)]));
}

function figures({ parcels, servers }: Run, { emptySeconds, heldSeconds, memory, cpu }: Outcome): Figure[] {
  const conditions = `${parcels} deferred messages of 10 KB from one pod to two, ${SHARDS} shards R${servers} on ${servers} nats-server, sync always, mutual TLS`;
  const figure = (name: string, value: number, unit: string): Figure => ({
    ...{ figure: `handover_${parcels / 1000}k_r${servers}_${name}`, value: rounded(value), unit, conditions },
  });
  return [
    figure('empty_seconds', emptySeconds, 's'),
    figure('held_seconds', heldSeconds, 's'),
    ...Object.entries(cpu).map(([name, spent]) =>
      figure(`cpu_seconds_per_1000_${name}`, (spent / parcels) * 1000, 's'),
    ),
    figure('leaving_memory_before_mb', memory.before.rss, 'MB'),
    figure('leaving_memory_highest_mb', memory.after.highest, 'MB'),
    figure('leaving_memory_anon_highest_mb', memory.highestAnon, 'MB'),
  ];
}
