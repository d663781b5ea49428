// One round of load on one mail system, and what it cost: CPU of its processes, memory, time from the first submission to
// the last delivery. A message that is missing or comes twice fails the round.
import { setTimeout as delay } from 'node:timers/promises';
import { Child, until } from '../e2e/rig/servers.ts';
import { cpuSeconds, memoryMiB } from './cpu.ts';
import type { Load } from './load.ts';
import type { Sinks } from './sink.ts';

export interface Contender {
  readonly name: string;
  readonly load: Pick<Load, 'host' | 'port' | 'from' | 'auth'>;
  /** The processes that count, each with its descendants. */
  readonly pids: Readonly<Record<string, number>>;
  /** Whether it holds no mail any more. */
  readonly empty: () => boolean | Promise<boolean>;
  stop(): Promise<void>;
}

export interface Round {
  readonly messagesPerSecond: number;
  /** CPU seconds per 1,000 messages by process. */
  readonly cpu: Readonly<Record<string, number>>;
  /** Highest proportional set size of all processes together. */
  readonly memoryMiB: number;
}

export interface Amount {
  readonly messages: number;
  readonly sessions: number;
  readonly bytes: number;
  readonly domains: readonly string[];
}

const MEMORY_EVERY_MS = 500;
const MOST_MS = 300_000;

export async function runRound(contender: Contender, sinks: Sinks, amount: Amount): Promise<Round> {
  const goal = sinks.received() + amount.messages;
  const before = cpuOf(contender);
  const watch = watchMemory(contender);
  const startedAt = await sendLoad(contender, amount);
  await until(
    `${contender.name} to deliver ${amount.messages} messages`,
    () => sinks.received() >= goal,
    MOST_MS,
  );
  const seconds = (Date.now() - startedAt) / 1000;
  await until(`${contender.name} to be empty`, contender.empty, MOST_MS);
  const after = cpuOf(contender);
  const highest = watch();
  if (sinks.received() !== goal)
    throw new Error(`${contender.name}: ${sinks.received() - goal} messages came more than once`);
  const cpu = Object.keys(before).map((name) => [
    name,
    (((after[name] ?? 0) - (before[name] ?? 0)) / amount.messages) * 1000,
  ]);
  return { messagesPerSecond: amount.messages / seconds, cpu: Object.fromEntries(cpu), memoryMiB: highest };
}

/** Resolves when every message has been accepted, with the time (ms since the epoch) at which the first was given. */
async function sendLoad({ name, load }: Contender, amount: Amount): Promise<number> {
  const program = [`${import.meta.dirname}/load.ts`, JSON.stringify({ ...load, ...amount } satisfies Load)];
  const child = new Child(process.execPath, program, { name: 'load' });
  if ((await child.exited) !== 0) throw new Error(`the load on ${name} failed:\n${child.output}`);
  return (JSON.parse(child.output) as { startedAt: number }).startedAt;
}

const cpuOf = ({ pids }: Contender): Record<string, number> =>
  Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)]));

/** Looks at the memory until the returned function is called, which gives the highest sum seen. */
function watchMemory({ pids }: Contender): () => number {
  let highest = 0;
  let on = true;
  void (async () => {
    while (on) {
      highest = Math.max(
        highest,
        Object.values(pids).reduce((sum, pid) => sum + memoryMiB(pid), 0),
      );
      await delay(MEMORY_EVERY_MS);
    }
  })();
  return () => {
    on = false;
    return highest;
  };
}
