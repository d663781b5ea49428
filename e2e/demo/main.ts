// `make demo` and `make demo-down`. SEED and MESSAGES change the mail; PROFILE=small takes one NATS server instead of three.
import { CommandError, openCluster } from '../cluster/index.ts';
import type { InternetClient } from '../internet/client.ts';
import type { InternetRecord } from '../internet/record.ts';
import { type Keys, sumUp, verifyWithDkimpy, verifyWithMailauth } from '../internet/verify.ts';
import { raiseStage } from '../stage/stage.ts';
import { runMail } from './mail.ts';
import { Progress } from './progress.ts';
import { type DemoResult, demoTable, troubles } from './table.ts';

const STEPS: Record<string, string> = {
  cluster: 'a Kubernetes cluster and a miniature internet',
  images: 'images',
  chart: 'helm install postfleet',
  samples: 'kubectl apply -f crds/samples/',
  key: 'an account and a key',
};

const NEXT = `Leave it running and try next:

  eval "$(make env)"
  kubectl -n postfleet get sendingpools,ippools,sendingdomains,queuepolicies
  kubectl -n postfleet scale sendingpool/demo --replicas=3
  kubectl -n postfleet get events --sort-by=.lastTimestamp
  node_modules/.bin/node cli/main.ts status

make demo-down removes all of it.`;

/** Numbers from the environment. @throws RangeError naming the variable */
function readOptions() {
  const number = (name: string, preset: number) => {
    const value = Number(process.env[name] ?? preset);
    if (Number.isInteger(value) && value >= 1) return value;
    throw new RangeError(`${name}=${process.env[name]}: give a whole number from 1`);
  };
  return {
    seed: number('SEED', 1),
    messages: number('MESSAGES', 1000),
    perSecond: number('RATE', 25),
    settleSeconds: 180,
  };
}

async function demo(): Promise<number> {
  const options = readOptions();
  const progress = new Progress();
  const profile = process.env.PROFILE === 'small' ? 'small' : 'ha';
  const stage = await raiseStage({ profile, onStep: (step) => progress.step(STEPS[step] ?? step) });
  const { judgement, records } = await runMail(stage, options, progress);
  progress.step('verifying signatures');
  const result: DemoResult = { judgement, ...(await verify(stage.internet, records, stage.keys)) };
  console.log(`\n${demoTable(result, stage.world)}\n`);
  const wrong = troubles(result);
  if (wrong.length)
    console.log(
      `NOT AS IT SHOULD BE:\n  ${[...wrong, ...result.mailauth.failures, ...result.dkimpy.failures].join('\n  ')}\n`,
    );
  console.log(NEXT);
  return wrong.length || judgement.deferred ? 1 : 0;
}

/** Every delivered message by both verifiers: each must carry every key's signature. */
async function verify(internet: InternetClient, records: readonly InternetRecord[], keys: Keys) {
  const files = records.flatMap((record) => (record.kind === 'message' && record.file ? [record.file] : []));
  const messages = await Promise.all(files.map((file) => internet.message(file)));
  const byMailauth = await Promise.all(messages.map((message) => verifyWithMailauth(message, keys)));
  const expected = Object.keys(keys);
  return {
    mailauth: sumUp(byMailauth, expected),
    dkimpy: sumUp(await verifyWithDkimpy(messages, keys), expected),
  };
}

async function down(): Promise<number> {
  const cluster = openCluster();
  await cluster.down();
  const left = cluster.leftovers();
  if (left.length) console.error(`left behind:\n  ${left.join('\n  ')}`);
  return left.length ? 1 : 0;
}

const commands: Record<string, () => Promise<number>> = { up: demo, down };
const command = commands[process.argv[2] ?? 'up'];
if (!command) {
  console.error('usage: node e2e/demo/main.ts [up|down]');
  process.exit(2);
}
try {
  process.exit(await command());
} catch (error) {
  console.error(
    error instanceof CommandError || error instanceof RangeError ? `demo: ${error.message}` : error,
  );
  process.exit(1);
}
