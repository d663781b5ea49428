// `make faults SEED=… MINUTES=…`: random faults for so long. FAULTS=name,name: these instead, once each, in this order.
// RATE: messages a second. KEEP=1 leaves the cluster standing. DOWN=1 only removes it. Exit 1 when a count is not 0.
import { openCluster } from '../cluster/index.ts';
import { seeded } from '../internet/random.ts';
import type { Fault } from './fault.ts';
import { FAULTS } from './faults/index.ts';
import { steps } from './pick.ts';
import { report, succeeded } from './report.ts';
import { FaultRun } from './run.ts';
import { raiseSite } from './site.ts';

const NAME = 'faults';

function number(name: string, preset: number): number {
  const value = Number(process.env[name] ?? preset);
  if (!(Number.isFinite(value) && value > 0))
    throw new RangeError(`${name}=${process.env[name]}: give a number above 0`);
  return value;
}

/** @throws RangeError that lists what there is */
function named(list: string): Fault[] {
  return list.split(',').map((name) => {
    const fault = FAULTS.find((one) => one.name === name);
    if (!fault)
      throw new RangeError(`FAULTS: no ${name}; there are ${FAULTS.map((one) => one.name).join(', ')}`);
    return fault;
  });
}

async function main(): Promise<number> {
  if (process.env.DOWN === '1')
    return openCluster(NAME)
      .down()
      .then(() => 0);
  const seed = Math.floor(number('SEED', (Date.now() % 100_000) + 1));
  const only = process.env.FAULTS ? named(process.env.FAULTS) : null;
  const minutes = number('MINUTES', only ? 60 : 5);
  const perSecond = number('RATE', 10);
  console.log(`SEED=${seed} MINUTES=${minutes} RATE=${perSecond}`);
  const log = (line: string) => console.log(`${new Date().toISOString().slice(11, 19)}  ${line}`);
  const stage = await raiseSite(NAME, log);
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      log('undoing everything; once more ends at once');
      interrupted.abort(new Error('interrupted'));
    });
  const planned = only ? only.map((fault) => [fault]) : steps(FAULTS, seeded(seed));
  const run = new FaultRun(stage, NAME, {
    seed,
    perSecond,
    minutes,
    steps: planned,
    log,
    signal: interrupted.signal,
  });
  const outcome = await run.run();
  const good = succeeded(outcome);
  console.log(`\n${report(outcome)}`);
  if (!good)
    console.log(`\nWhere to look: KUBECONFIG=${stage.cluster.kubeconfig} kubectl -n postfleet logs …`);
  if (good && process.env.KEEP !== '1') await stage.cluster.down();
  return good ? 0 : 1;
}

process.exit(
  await main().catch((error) => {
    console.error(error instanceof RangeError ? `faults: ${error.message}` : error);
    return 1;
  }),
);
