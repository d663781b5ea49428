// Accept → queue → sign → deliver, Postfleet and Postfix with opendkim in turn on the same machine under the same load.
//   node bench/throughput.ts [messages a round] [rounds]      POSTFLEET_BENCH_PROFILE=<folder>: CPU profiles of the roles
import { type Contender, type Round, runRound } from './contender.ts';
import { type Figure, recordFigures, rounded } from './figures.ts';
import { enterOwnNetwork } from './namespace.ts';
import { startPostfix } from './postfix.ts';
import { startPostfleet } from './postfleet.ts';
import { startSinks } from './sink.ts';

const [messages = 5000, rounds = 3] = process.argv.slice(2).map(Number);
const FROM = 'news@bench.test';
const DOMAINS = Array.from({ length: 20 }, (_, i) => `d${i}.test`);
const AMOUNT = { messages, sessions: 50, bytes: 10_000, domains: DOMAINS };
const WARM_UP = 1000;

enterOwnNetwork();
const sinks = startSinks(DOMAINS.length);
const routes = new Map(DOMAINS.map((domain, i) => [domain, sinks.addresses[i] as string]));
const contenders: Contender[] = [];
try {
  if (!process.env.POSTFLEET_BENCH_PROFILE) contenders.push(await startPostfix(FROM, routes));
  contenders.push(await startPostfleet(FROM, routes, process.env.POSTFLEET_BENCH_PROFILE));
  const results = new Map<Contender, Round[]>(contenders.map((contender) => [contender, []]));
  for (const contender of contenders) await runRound(contender, sinks, { ...AMOUNT, messages: WARM_UP });
  for (let round = 0; round < rounds; round++)
    for (const [contender, all] of results) all.push(await runRound(contender, sinks, AMOUNT));
  report(results);
} finally {
  await Promise.all(contenders.map((contender) => contender.stop()));
  await sinks.stop();
}

function report(results: ReadonlyMap<Contender, readonly Round[]>): void {
  const [ours, theirs] = [...results].reverse().map(([, all]) => medians(all));
  const conditions = `${messages} messages of 10 KB, RSA-2048, 50 sessions, 20 domains, nats-server R1 sync always, mutual TLS; median of ${rounds} rounds`;
  const figure = (name: string, value: number, unit: string): Figure => ({
    ...{ figure: name, value: rounded(value), unit, conditions },
  });
  const of = (prefix: string, one: Round): Figure[] => [
    figure(`${prefix}cpu_seconds_per_1000`, sum(one), 's'),
    figure(`${prefix}messages_per_second`, one.messagesPerSecond, '1/s'),
    ...Object.entries(one.cpu).map(([name, value]) =>
      figure(`${prefix}cpu_seconds_per_1000_${name}`, value, 's'),
    ),
    figure(`${prefix}memory_pss_peak_mib`, one.memoryMiB, 'MiB'),
  ];
  recordFigures('throughput', [
    ...of('', ours as Round),
    ...(theirs ? of('postfix_opendkim_', theirs) : []),
    ...(theirs ? [figure('cpu_ratio_to_postfix_opendkim', sum(ours) / sum(theirs), '')] : []),
  ]);
}

function sum(round: Round | undefined): number {
  return Object.values(round?.cpu ?? {}).reduce((total, value) => total + value, 0);
}

/** The median of each number on its own. */
function medians(all: readonly Round[]): Round {
  const median = (of: (round: Round) => number): number => {
    const sorted = all.map(of).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  };
  const names = Object.keys(all[0]?.cpu ?? {});
  return {
    messagesPerSecond: median((round) => round.messagesPerSecond),
    memoryMiB: median((round) => round.memoryMiB),
    cpu: Object.fromEntries(names.map((name) => [name, median((round) => round.cpu[name] ?? 0)])),
  };
}
