// A large queue through 3 → 1 → 3 → 1 pods under load, and how soon a pod with nothing in it leaves.
// POSTFLEET_SCALE_DEFERRED=20000: the full form, a quarter of an hour. Both print their figures.
import { judge } from '../internet/judge.ts';
import { until } from '../rig/process.ts';
import { sendAll } from '../sender/sender.ts';
import { NAMESPACE } from '../stage/install.ts';
import type { Stage } from '../stage/stage.ts';
import { everywhere, patienceOf, smallMail } from './deferred.ts';
import { spotless } from './mail.ts';
import { sharedStage, takeDownStage } from './stage.ts';

const DEFERRED = Number(process.env.POSTFLEET_SCALE_DEFERRED ?? 1500);
const IS_FULL = DEFERRED > 5000;
/** Rising, without jitter: a count of attempts that began anew would show as a retry before its time. */
const INTERVALS = IS_FULL ? [180, 240, 300] : [20, 30, 45];
/** Of the mail, what comes while the pool is scaled. */
const MEANWHILE = 0.2;
const MEANWHILE_PER_SECOND = IS_FULL ? 25 : 5;
const EMPTY_DRAIN_SECONDS = 10;

const retry = { intervals: INTERVALS.map((seconds) => `${seconds}s`), jitter: 0, maxAge: '4h' };
let stage: Stage;
const kubectl = (...args: string[]) => stage.cluster.kubectl(['-n', NAMESPACE, ...args]);
const pool = async () => JSON.parse(await kubectl('get', 'sendingpool', 'demo', '-o', 'json'));
const scale = (replicas: number) => kubectl('scale', 'sendingpool/demo', `--replicas=${replicas}`);
const patience = IS_FULL ? 600_000 : 120_000;
const settledAt = (replicas: number) =>
  until(
    `${replicas} pods, ready`,
    async () => {
      const { status } = await pool();
      const ready = status?.conditions?.find(({ type }: { type: string }) => type === 'Ready');
      const all = status?.replicas === replicas && status.readyReplicas === replicas;
      return all && status.members.length === replicas && ready?.status === 'True';
    },
    patience,
  );
const queued = async (): Promise<number> =>
  (await pool()).status.members.reduce((sum: number, { queued: one }: { queued: number }) => sum + one, 0);

beforeAll(async () => {
  stage = await sharedStage({ QueuePolicy: { retry } });
  await settledAt(3);
}, 600_000);
afterAll(async () => {
  if (process.env.KEEP_STAGE !== '1') await takeDownStage();
}, 120_000);

test(`${DEFERRED} deferred messages through 3 → 1 → 3 → 1: all delivered, once, none before its time`, async () => {
  const { internet, smtp, http, world } = stage;
  await internet.reset();
  await everywhere(stage, 'defers');
  const log: Record<string, number> = {};
  const timed = async (step: string, work: () => Promise<unknown>) => {
    const began = performance.now();
    await work();
    log[step] = Math.round(performance.now() - began) / 1000;
  };
  const prefix = `q${Date.now().toString(36)}`;
  const first = Math.round(DEFERRED * (1 - MEANWHILE));
  const target = { smtp, http, httpEvery: 4, sessions: 12, maxAttempts: 12 };
  const send = (from: number, to: number, perSecond?: number) =>
    sendAll(smallMail(stage, prefix, from, to), { ...target, ...(perSecond && { perSecond }) });
  const results: Awaited<ReturnType<typeof send>> = [];
  await timed('injected', async () => results.push(...(await send(0, first))));
  await timed('all deferred', () =>
    until('the queue to be full', async () => (await queued()) >= first, patience),
  );
  const load = send(first, DEFERRED, MEANWHILE_PER_SECOND);
  for (const [step, replicas] of [
    ['3 → 1', 1],
    ['1 → 3', 3],
    ['3 → 1 again', 1],
  ] as const)
    await timed(step, () => scale(replicas).then(() => settledAt(replicas)));
  results.push(...(await load));
  await everywhere(stage, 'accepts');
  const allowedSources = world.sendingAddresses.map(({ address }) => address);
  let records = await internet.records();
  const judged = () => judge({ sent: results, records, allowedSources, queued: 0 });
  await timed('all delivered', () =>
    until(
      'all to be delivered',
      async () => {
        if ((await internet.counts()).delivered < DEFERRED) return false;
        records = await internet.records();
        return judged().delivered >= judged().accepted;
      },
      patience,
    ),
  );
  await until('the pool to be empty', async () => (await queued()) === 0, 60_000);
  records = await internet.records();
  expect(judged()).toMatchObject({ ...spotless, accepted: DEFERRED, delivered: DEFERRED, bounced: 0 });
  const seen = patienceOf(records, INTERVALS);
  const attempts = records.filter(({ kind }) => kind === 'attempt').length;
  console.log(
    JSON.stringify({ deferred: DEFERRED, seconds: log, attempts, mostAttempts: seen.mostAttempts }),
  );
  expect(seen.early).toEqual([]);
}, 1_800_000);

test(`a pod with nothing in it leaves within ${EMPTY_DRAIN_SECONDS} s`, async () => {
  await scale(3);
  await settledAt(3);
  const seconds: Record<string, number> = {};
  const began = performance.now();
  const mark = (what: string) => {
    seconds[what] = Math.round(performance.now() - began) / 1000;
  };
  await scale(2);
  const replicas = () => kubectl('get', 'statefulset', 'demo-delivery', '-o', 'jsonpath={.spec.replicas}');
  await until('replicas to be written', async () => (await replicas()) === '2', 60_000);
  mark('replicasWritten');
  const pods = () => kubectl('get', 'pods', '-l', 'postfleet.io/pool=demo', '-o', 'name');
  await until('the pod to be gone', async () => !(await pods()).includes('demo-delivery-2'), 60_000);
  mark('podGone');
  console.log(JSON.stringify({ emptyDrainSeconds: seconds }));
  expect(seconds.replicasWritten).toBeLessThan(EMPTY_DRAIN_SECONDS);
}, 240_000);
