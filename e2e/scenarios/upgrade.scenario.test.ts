// Changing what runs: a new template under load, a canary that fails, and an operator that is upgraded alone.
import { postfleetImage } from '../image/postfleet.ts';
import { until } from '../rig/process.ts';
import { NAMESPACE } from '../stage/install.ts';
import type { Stage } from '../stage/stage.ts';
import { runPlan, spotless } from './mail.ts';
import { sharedStage, takeDownStage } from './stage.ts';

let stage: Stage;
const kubectl = (...args: string[]) => stage.cluster.kubectl(['-n', NAMESPACE, ...args]);
const status = async () => JSON.parse(await kubectl('get', 'sendingpool', 'demo', '-o', 'json')).status;
const patch = (spec: object) =>
  kubectl('patch', 'sendingpool', 'demo', '--type=merge', '-p', JSON.stringify({ spec }));
const ready = (reason: string) =>
  until(
    `Ready ${reason}`,
    async () =>
      (await status()).conditions.some(
        (one: { type: string; reason: string }) => one.type === 'Ready' && one.reason === reason,
      ),
    150_000,
  );

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly nodeName?: string };
  readonly status: { readonly containerStatuses?: readonly { readonly restartCount: number }[] };
}
const pods = async (): Promise<readonly Pod[]> =>
  JSON.parse(await kubectl('get', 'pods', '-l', 'postfleet.io/pool=demo', '-o', 'json')).items;
const runs = async () =>
  (await pods()).map(
    (pod) => `${pod.metadata.uid} ${pod.status.containerStatuses?.map((one) => one.restartCount)}`,
  );
const rolledTo = (note: string) =>
  until(
    `every pod with ${note}`,
    async () => {
      const all = await pods();
      return all.length === 3 && all.every(({ metadata }) => metadata.annotations?.note === note);
    },
    150_000,
  );

beforeAll(async () => {
  stage = await sharedStage();
  await kubectl('scale', 'sendingpool/demo', '--replicas=3');
  await ready('AsExpected');
}, 600_000);
afterAll(async () => {
  if (process.env.KEEP_STAGE !== '1') await takeDownStage();
}, 120_000);

test('rule 8: a new template reaches the pods one by one under load; nothing is lost or repeated', async () => {
  const before = (await pods()).map(({ metadata }) => metadata.uid);
  const roll = async () => {
    await patch({ podTemplate: { annotations: { note: 'first' } } });
    await rolledTo('first');
  };
  const { judgement } = await runPlan(stage, { seed: 31, count: 150, perSecond: 15, halfWay: roll });
  expect(judgement).toMatchObject(spotless);
  await ready('AsExpected');
  expect((await pods()).filter(({ metadata }) => before.includes(metadata.uid))).toEqual([]);
}, 400_000);

test('a canary that does not come up is taken back; the other pods never change, and mail flows', async () => {
  const before = await pods();
  const fail = async () => {
    const canary = { pods: 1, duration: '30s', readyWithin: '15s' };
    await patch({ rollout: { canary }, podTemplate: { nodeSelector: { is: 'nowhere' } } });
    await ready('RolledBack');
  };
  const { judgement } = await runPlan(stage, { seed: 32, count: 80, perSecond: 15, halfWay: fail });
  expect(judgement).toMatchObject(spotless);
  expect((await status()).rollout).toMatchObject({ state: 'RolledBack' });
  const back = async () => {
    const all = await pods();
    return all.length === 3 && all.every(({ spec }) => spec.nodeName) && (await status()).readyReplicas === 3;
  };
  await until('the canary to be back on the old template', back, 120_000);
  const kept = before.filter(({ metadata }) => metadata.name !== 'demo-delivery-2');
  const now = (await pods()).map(({ metadata }) => metadata.uid);
  expect(kept.filter(({ metadata }) => !now.includes(metadata.uid))).toEqual([]);
  await patch({ podTemplate: { nodeSelector: null }, rollout: { canary: null } });
  await ready('AsExpected');
  expect((await status()).rollout).toBeUndefined();
}, 400_000);

test('an operator that is upgraded alone restarts no pod', async () => {
  const before = await runs();
  const built = await postfleetImage();
  const name = (await kubectl('get', 'deploy/postfleet-operator', '-o', 'jsonpath={..image}')).trim();
  const next = `${name.slice(0, name.lastIndexOf(':'))}:next`;
  await stage.cluster.importImage({ ...built, name: next });
  await kubectl('set', 'image', 'deploy/postfleet-operator', `operator=${next}`);
  await kubectl('rollout', 'status', 'deploy/postfleet-operator', '--timeout=120s');
  await kubectl('annotate', 'sendingpool', 'demo', 'look=again', '--overwrite');
  const { judgement } = await runPlan(stage, { seed: 33, count: 20, perSecond: 20 });
  expect(judgement).toMatchObject(spotless);
  await ready('AsExpected');
  expect(await runs()).toEqual(before);
}, 300_000);
