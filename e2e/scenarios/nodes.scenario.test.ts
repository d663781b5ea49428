// Losing nodes (rules 8 and 10): a node drained by kubectl under load, and one that is cut off with mail on it and returns.
// The heart (NATS, PostgreSQL, ingress, egress) is on node 1; volumes are local, so mail of node 2 waits for node 2.
import { openCluster } from '../cluster/index.ts';
import { until } from '../rig/process.ts';
import { NAMESPACE } from '../stage/install.ts';
import { raiseStage, type Stage } from '../stage/stage.ts';
import { deferAll, runPlan, spotless } from './mail.ts';

interface PoolStatus {
  readonly members: readonly { readonly pod: string; readonly node?: string; readonly queued: number }[];
  readonly stranded: readonly { readonly pod: string; readonly why: string; readonly queued?: number }[];
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
}

const NAME = 'nodes';
let stage: Stage;
const kubectl = (...args: string[]) => stage.cluster.kubectl(['-n', NAMESPACE, ...args]);
const status = async (): Promise<PoolStatus> =>
  JSON.parse(await kubectl('get', 'sendingpool', 'demo', '-o', 'json')).status;
const isReady = ({ conditions }: PoolStatus) =>
  conditions.some((one) => one.type === 'Ready' && one.status === 'True');
const whole = () => until('the pool to be ready', async () => isReady(await status()), 150_000);
const stranded = (why: string) =>
  until(
    `stranded: ${why}`,
    async () => (await status()).stranded.find((one) => one.why === why) ?? null,
    120_000,
  );
beforeAll(async () => {
  stage = await raiseStage({ name: NAME, profile: 'small', nodes: 2, heartOnFirst: true });
  await whole();
}, 600_000);
afterAll(async () => {
  if (process.env.KEEP_STAGE !== '1') await openCluster(NAME).down();
}, 120_000);

test('rule 8: a node drained under load: its pod finishes what is past the final dot and comes back to its spool', async () => {
  const on2 = (await status()).members.filter(({ node }) => node === 'node2');
  expect(on2.length).toBeGreaterThan(0);
  const drain = async () => {
    // Egress pods may take as long as their longest session.
    const only = '--pod-selector=app.kubernetes.io/component=delivery';
    await kubectl('drain', 'node2', only, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=180s');
    const said = await stranded('PodUnschedulable');
    expect(on2.map(({ pod }) => pod)).toContain(said.pod);
    await kubectl('uncordon', 'node2');
  };
  const { judgement } = await runPlan(stage, { seed: 21, count: 160, perSecond: 16, halfWay: drain });
  expect(judgement).toMatchObject(spotless);
  await whole();
  expect((await status()).stranded).toEqual([]);
}, 420_000);

test('rule 10: a node that is lost: its mail is stated as stranded with its number, and delivered when it returns', async () => {
  await deferAll(stage, true);
  const lose = async () => {
    const holds = () =>
      until(
        'mail in the spool of node 2',
        async () => (await status()).members.find((one) => one.node === 'node2' && one.queued > 0) ?? null,
        60_000,
      );
    const { pod } = await holds();
    await stage.cluster.stopNode(2);
    const said = await stranded('NodeSilent');
    const all = (await status()).stranded.find((one) => one.pod === pod);
    expect(all?.queued).toBeGreaterThan(0);
    expect(said.queued).toBeDefined();
    const condition = (await status()).conditions.find(({ type }) => type === 'MailReachable');
    expect(condition).toMatchObject({ status: 'False', reason: 'Stranded' });
    await stage.cluster.startNode(2);
    await until('nothing to be stranded', async () => (await status()).stranded.length === 0, 150_000);
    await deferAll(stage, false);
  };
  const { judgement } = await runPlan(stage, { seed: 22, count: 60, perSecond: 20, halfWay: lose });
  expect(judgement).toMatchObject(spotless);
  await whole();
}, 480_000);
