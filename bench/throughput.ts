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
  const profileDir = process.env.POSTFLEET_BENCH_PROFILE;
  if (!profileDir) contenders.push(await startPostfix(FROM, routes));
  contenders.push(await startPostfleet(FROM, routes, { profileDir }));
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
  const [ours = [], theirs] = [...results.values()].reverse();
  const conditions = `${messages} messages of 10 KB, RSA-2048, 50 sessions, 20 domains, nats-server R1 sync always, mutual TLS; median of ${rounds} rounds`;
  const figure = (name: string, value: number, unit: string): Figure => ({
    ...{ figure: name, value: rounded(value), unit, conditions },
  });
  const of = (prefix: string, all: readonly Round[]): Figure[] => [
    figure(`${prefix}cpu_seconds_per_1000`, median(all.map(total)), 's'),
    ...Object.keys(all[0]?.cpu ?? {}).map((name) =>
      figure(`${prefix}cpu_seconds_per_1000_${name}`, median(all.map(({ cpu }) => cpu[name] ?? 0)), 's'),
    ),
    figure(`${prefix}messages_per_second`, median(all.map((round) => round.messagesPerSecond)), '1/s'),
    figure(`${prefix}memory_pss_peak_mib`, median(all.map((round) => round.memoryMiB)), 'MiB'),
  ];
  // Each round against the peer's just before: other work on the machine weighs on both.
  const ratios = ours.map((round, i) => total(round) / total(theirs?.[i]));
  recordFigures('throughput', [
    ...of('', ours),
    ...(theirs ? of('postfix_opendkim_', theirs) : []),
    ...(theirs ? [figure('cpu_ratio_to_postfix_opendkim', median(ratios), '')] : []),
  ]);
}

function total(round: Round | undefined): number {
  return Object.values(round?.cpu ?? {}).reduce((sum, value) => sum + value, 0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
