// A pool's life on a real cluster: mail flows, the pool is scaled under load, pods are killed, bad resources are refused.
import { sumUp, verifyWithDkimpy, verifyWithMailauth } from '../internet/verify.ts';
import { until } from '../rig/process.ts';
import { NAMESPACE } from '../stage/install.ts';
import { PROMPT_RETRY } from '../stage/retry.ts';
import type { Stage } from '../stage/stage.ts';
import { deferAll, runPlan, spotless } from './mail.ts';
import { sharedStage, takeDownStage } from './stage.ts';

let stage: Stage;
const kubectl = (...args: string[]) => stage.cluster.kubectl(['-n', NAMESPACE, ...args]);
const pool = async () => JSON.parse(await kubectl('get', 'sendingpool', 'demo', '-o', 'json'));
const scale = (replicas: number) => kubectl('scale', 'sendingpool/demo', `--replicas=${replicas}`);
const settledAt = (replicas: number) =>
  until(
    `${replicas} pods, ready`,
    async () => {
      const { status } = await pool();
      const ready = status?.conditions?.find(({ type }: { type: string }) => type === 'Ready');
      return status?.replicas === replicas && status.readyReplicas === replicas && ready?.status === 'True';
    },
    150_000,
  );

beforeAll(async () => {
  stage = await sharedStage({ QueuePolicy: { retry: PROMPT_RETRY } });
}, 600_000);
afterAll(async () => {
  if (process.env.KEEP_STAGE !== '1') await takeDownStage();
}, 120_000);

test('rules 1 to 5: scaled from 3 to 1 under load, nothing is lost or repeated, and every signature verifies twice', async () => {
  await settledAt(3);
  const { judgement, records } = await runPlan(stage, {
    seed: 7,
    count: 200,
    perSecond: 20,
    halfWay: () => scale(1),
  });
  expect(judgement).toMatchObject(spotless);
  expect(judgement.delivered).toBeGreaterThan(200);
  await settledAt(1);
  const files = records.flatMap((record) => (record.kind === 'message' && record.file ? [record.file] : []));
  const messages = await Promise.all(files.map((file) => stage.internet.message(file)));
  const mailauth = sumUp(
    await Promise.all(messages.map((one) => verifyWithMailauth(one, stage.keys))),
    Object.keys(stage.keys),
  );
  const dkimpy = sumUp(await verifyWithDkimpy(messages, stage.keys), Object.keys(stage.keys));
  expect([mailauth, dkimpy]).toEqual(
    [mailauth, dkimpy].map(() => ({ messages: messages.length, verified: messages.length, failures: [] })),
  );
}, 300_000);

test('rule 7: scaled up again, new pods take shards; the drained volumes were kept', async () => {
  const claims = await kubectl('get', 'pvc', '-l', 'postfleet.io/pool=demo', '-o', 'name');
  expect(claims.trim().split('\n')).toHaveLength(3);
  await scale(3);
  await settledAt(3);
  await until(
    'every pod to have shards',
    async () => {
      const { status } = await pool();
      return (
        status.members.length === 3 &&
        status.members.every(({ shards }: { shards: number[] }) => shards.length >= 2)
      );
    },
    60_000,
  );
}, 240_000);

test('rule 6: a drain that is cancelled: the pod stays with its mail and gets its shards back', async () => {
  await settledAt(3);
  const uids = () =>
    kubectl('get', 'pods', '-l', 'postfleet.io/pool=demo', '-o', 'jsonpath={..metadata.uid}');
  const before = await uids();
  const annotate = (mode: string) =>
    kubectl('annotate', 'sendingpool', 'demo', '--overwrite', `postfleet.io/drain-mode${mode}`);
  await annotate('=Wait');
  await deferAll(stage, true);
  const cancel = async () => {
    await scale(2);
    await until(
      'the drain to wait',
      async () => {
        const { status } = await pool();
        return status.drain?.step === 'Delivering' && status.drain.left > 0;
      },
      60_000,
    );
    await scale(3);
    await until('the drain to be over', async () => !(await pool()).status.drain, 60_000);
    await deferAll(stage, false);
  };
  const { judgement } = await runPlan(stage, { seed: 10, count: 60, perSecond: 30, halfWay: cancel });
  expect(judgement).toMatchObject(spotless);
  await settledAt(3);
  expect(await uids()).toBe(before);
  await until(
    'shards to be even',
    async () => {
      const { status } = await pool();
      return status.members.every(({ shards }: { shards: number[] }) => shards.length >= 2);
    },
    60_000,
  );
  await annotate('-');
}, 300_000);

test('rule 9: a pod that never ran is taken back without a drain', async () => {
  await settledAt(3);
  await kubectl('create', 'quota', 'full', '--hard=pods=0');
  await scale(4);
  const wanted = (count: string) =>
    until(
      `the StatefulSet to want ${count}`,
      async () => (await kubectl('get', 'sts', 'demo-delivery', '-o', 'jsonpath={.spec.replicas}')) === count,
      30_000,
    );
  await wanted('4');
  await scale(3);
  await wanted('3');
  await settledAt(3);
  await kubectl('delete', 'quota', 'full');
}, 120_000);

test('a delivery pod and an ingress pod deleted in the middle: nothing lost, nothing delivered that was refused', async () => {
  await settledAt(3);
  const kill = async () => {
    await kubectl('delete', 'pod', 'demo-delivery-1', '--wait=false');
    await kubectl('delete', 'pod', '-l', 'app.kubernetes.io/component=ingress', '--wait=false');
  };
  const { judgement } = await runPlan(stage, { seed: 8, count: 120, perSecond: 12, halfWay: kill });
  expect(judgement).toMatchObject({
    lost: 0,
    ghosts: 0,
    strangers: 0,
    wrongSource: 0,
    contradicted: 0,
    duplicated: 0,
  });
  await settledAt(3);
}, 300_000);

test.each([
  ['a shard count that shrinks', { shards: 4 }, /shards may grow, never shrink/],
  ['a volume that shrinks', { storage: { size: '512Mi' } }, /storage\.size may grow, never shrink/],
  ['more pods than shards', { replicas: 9 }, /shards must be at least replicas/],
  ['no replicas', { replicas: 0 }, /replicas cannot be lowered to 0/],
  ['negative replicas', { replicas: -1 }, /greater than or equal to 0/],
])('%s is refused by the API server', async (_, spec, reason) => {
  await expect(
    kubectl('patch', 'sendingpool', 'demo', '--type=merge', '-p', JSON.stringify({ spec })),
  ).rejects.toThrow(reason);
});

test('a reference to nothing becomes a condition with its reason, and the running configuration stays', async () => {
  await settledAt(3);
  const refer = (name: string) =>
    kubectl(
      'patch',
      'sendingpool',
      'demo',
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { ipPoolRef: { name } } }),
    );
  await refer('nowhere');
  await until(
    'the condition',
    async () => /False\s+IPPoolNotFound/.test(await kubectl('get', 'sendingpool', 'demo')),
    60_000,
  );
  const { judgement } = await runPlan(stage, { seed: 9, count: 20, perSecond: 20 });
  expect(judgement).toMatchObject(spotless);
  await refer('demo');
  await settledAt(3);
}, 240_000);

test("people cannot scale or delete what holds mail behind the operator's back", async () => {
  const person = ['--as=ann', '--as-group=system:masters'];
  await expect(kubectl('scale', 'statefulset/demo-delivery', '--replicas=1', ...person)).rejects.toThrow(
    /sendingpool/i,
  );
  await expect(kubectl('delete', 'pvc', 'spool-demo-delivery-0', ...person)).rejects.toThrow(/mail/i);
});
