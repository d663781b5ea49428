// Autoscaling on a real cluster: a burst of mail brings more pods, calm takes them away again one drained pod at a time.
import { until } from '../rig/process.ts';
import { NAMESPACE } from '../stage/install.ts';
import type { Stage } from '../stage/stage.ts';
import { runPlan, spotless } from './mail.ts';
import { sharedStage, takeDownStage } from './stage.ts';

let stage: Stage;
const kubectl = (...args: string[]) => stage.cluster.kubectl(['-n', NAMESPACE, ...args]);
const pool = async () => JSON.parse(await kubectl('get', 'sendingpool', 'demo', '-o', 'json'));

/** Far below what a pod can do, so that a machine of two cores brings the load. */
const autoscaling = {
  ...{ min: 1, max: 3, target: { readyPerPod: 1000, inFlightPerPod: 400, perSecondPerPod: 5 } },
  stabilizationSeconds: { up: 0, down: 15 },
};

const podsAre = (replicas: number) =>
  until(
    `${replicas} pods, ready`,
    async () => {
      const { status } = await pool();
      const ready = status?.conditions?.find(({ type }: { type: string }) => type === 'Ready');
      return (
        status?.autoscaling?.replicas === replicas &&
        status.replicas === replicas &&
        status.readyReplicas === replicas &&
        ready?.status === 'True'
      );
    },
    120_000,
  );

const events = async (reason: string): Promise<string[]> => {
  const about = `reason=${reason},involvedObject.name=demo`;
  const { items } = JSON.parse(await kubectl('get', 'events', '--field-selector', about, '-o', 'json'));
  return items.map(({ message }: { message: string }) => message);
};

beforeAll(async () => {
  stage = await sharedStage({ SendingPool: { replicas: 1, autoscaling } });
  await podsAre(1);
}, 600_000);
afterAll(async () => {
  if (process.env.KEEP_STAGE !== '1') await takeDownStage();
}, 120_000);

test('a burst scales 1 to 3 while shards grow, calm scales 3 to 1 by drains; nothing is lost or repeated', async () => {
  const grow = () =>
    kubectl('patch', 'sendingpool', 'demo', '--type=merge', '-p', JSON.stringify({ spec: { shards: 10 } }));
  const plan = { seed: 21, count: 500, perSecond: 25, halfWay: grow };
  const [burst] = await Promise.all([runPlan(stage, plan), podsAre(3)]);
  expect(burst.judgement).toMatchObject(spotless);
  expect((await events('ScaledUp')).join('\n')).toMatch(/from 1 to 3 pods: \d+ a second at 5 a pod/);
  // A little mail goes on while pods leave.
  const [calm] = await Promise.all([runPlan(stage, { seed: 22, count: 60, perSecond: 1.5 }), podsAre(1)]);
  expect(calm.judgement).toMatchObject(spotless);
  const left = await events('ScaledDown');
  expect(left.filter((note) => /replicas are now [12]/.test(note)).length).toBeGreaterThanOrEqual(2);
  const { spec, status } = await pool();
  expect(spec.replicas).toBe(1);
  expect(status.members[0].shards).toHaveLength(10);
}, 240_000);

test('whoever writes spec.replicas changes nothing', async () => {
  await kubectl('scale', 'sendingpool/demo', '--replicas=3');
  await until('the operator to have seen it', async () => {
    const { metadata, status } = await pool();
    return status.observedGeneration === metadata.generation;
  });
  expect((await pool()).status).toMatchObject({ desiredReplicas: 1, replicas: 1 });
}, 60_000);
