// One tight limit, five delivery pods, more mail than may go: the provider never sees more than the policy says, through the kill -9 of two
// pods and of the holder of the address, and nearly all of the limit is used. LIMITS_MINUTES=10 is the long form.
import type { Role } from '../faults/processes.ts';
import { generateAll } from '../internet/messages.ts';
import { seeded } from '../internet/random.ts';
import type { MessageRecord } from '../internet/record.ts';
import { mostWithin } from '../internet/within.ts';
import { until } from '../rig/process.ts';
import { sendAll } from '../sender/sender.ts';
import { NAMESPACE } from '../stage/install.ts';
import type { Stage } from '../stage/stage.ts';
import { sceneOf, sharedStage, takeDownStage } from './stage.ts';

const MINUTES = Number(process.env.LIMITS_MINUTES ?? 2);
const PODS = 5;
const LIMIT = { connections: 2, perMinute: 100 };
const MINUTE = 60_000;
const PROVIDER = 'bigmail.example';
const ADDRESS = { address: '198.51.100.10', ehlo: 'mta1.demo.example' };
const specs = {
  SendingPool: { replicas: PODS },
  IPPool: { addresses: [ADDRESS] },
  QueuePolicy: {
    shaping: { providers: [{ name: 'bigmail', mxSuffixes: [PROVIDER], limits: LIMIT }] },
  },
};

let stage: Stage;
const kubectl = (...args: string[]) => stage.cluster.kubectl(['-n', NAMESPACE, ...args]);
beforeAll(async () => {
  stage = await sharedStage(specs);
  await until(
    `${PODS} pods that have shards`,
    async () => {
      const { status } = JSON.parse(await kubectl('get', 'sendingpool', 'demo', '-o', 'json'));
      const members: readonly { readonly shards: readonly number[] }[] = status?.members ?? [];
      return (
        status.readyReplicas === PODS && members.filter(({ shards }) => shards.length > 0).length === PODS
      );
    },
    240_000,
  );
}, 900_000);
afterAll(async () => {
  if (process.env.KEEP_STAGE !== '1') await takeDownStage();
}, 120_000);

const random = seeded(55);
function kill(role: Role): void {
  const scene = sceneOf(stage);
  scene.kill(scene.anyOf(role, random));
}

/** When each recipient at the provider was taken, ms. */
async function taken(): Promise<number[]> {
  const records = await stage.internet.records();
  return records
    .filter((one): one is MessageRecord => one.kind === 'message' && one.mx.endsWith(PROVIDER))
    .flatMap(({ at, recipients }) => recipients.map(() => at));
}

test(
  `${PODS} pods at ${LIMIT.connections} connections and ${LIMIT.perMinute} messages a minute, killed under way`,
  async () => {
    await stage.internet.reset();
    const plan = {
      seed: 55,
      senderDomain: stage.world.senderDomain,
      domains: ['quince.example', 'rowan.example'],
    };
    const mail = await generateAll({ ...plan, count: (MINUTES + 3) * LIMIT.perMinute });
    const sending = sendAll(mail, { smtp: stage.smtp, httpEvery: 0, sessions: 8, maxAttempts: 12 });
    const start = await until('the first mail', async () => (await taken())[0], MINUTE);
    // From where the first burst is over: a sliding window lets a whole minute's mail go at once at the very beginning.
    const from = start + MINUTE / 2;
    const to = from + MINUTES * MINUTE;
    const kills = (['delivery', 'egress', 'delivery'] as const).map((role, at) => ({
      role,
      at: from + ((at + 1) * (to - from)) / 4,
    }));
    for (const { role, at } of kills) {
      await until(`the time to kill ${role}`, () => Date.now() >= at, MINUTES * MINUTE + MINUTE);
      kill(role);
    }
    await until('the end of the measurement', () => Date.now() >= to, MINUTES * MINUTE + MINUTE);
    await sending;
    const times = await taken();
    const use = times.filter((at) => at >= from && at < to).length / (LIMIT.perMinute * MINUTES);
    const most = mostWithin(times, MINUTE);
    const { peaks } = await stage.internet.counts();
    const connections = peaks[PROVIDER]?.[ADDRESS.address];
    console.log(`most in a minute ${most}, connections ${connections}, use ${(use * 100).toFixed(1)} %`);
    expect(most).toBeLessThanOrEqual(LIMIT.perMinute);
    expect(connections).toBe(LIMIT.connections);
    expect(use).toBeGreaterThan(0.9);
  },
  MINUTES * MINUTE + 300_000,
);
