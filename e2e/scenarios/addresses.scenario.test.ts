// Addresses on three nodes: two belong to a node, two can move. Everything but egress is on node 1, so that any other can be lost.
import type { AttemptRecord } from '../internet/record.ts';
import { until } from '../rig/process.ts';
import { NAMESPACE } from '../stage/install.ts';
import { raiseStage, type Stage } from '../stage/stage.ts';
import { watchHolders } from './holders.ts';
import { runPlan, spotless } from './mail.ts';

const NAME = 'addresses';
const [ON_FIRST, ON_SECOND, MOVES, MOVES_TOO] = [10, 11, 12, 13].map((n) => `198.51.100.${n}`) as [
  string,
  string,
  string,
  string,
];
const address = (one: string, more: object = {}) => ({
  ...{ address: one, ehlo: `mta${Number(one.split('.')[3]) - 9}.demo.example` },
  ...more,
});
const ADDRESSES = [
  address(ON_FIRST, { node: 'node1' }),
  address(ON_SECOND, { node: 'node2' }),
  address(MOVES, { movable: true }),
  address(MOVES_TOO, { movable: true }),
];

interface AddressStatus {
  readonly address: string;
  readonly state: string;
  readonly node?: string;
  readonly holder?: string;
  readonly reason?: string;
}

let stage: Stage;
const kubectl = (...args: string[]) => stage.cluster.kubectl(['-n', NAMESPACE, ...args]);
const pool = async () => JSON.parse(await kubectl('get', 'ippool', 'demo', '-o', 'json'));
const statusOf = async (one: string): Promise<AddressStatus | undefined> =>
  (await pool()).status?.addresses?.find(({ address: found }: AddressStatus) => found === one);
const stateOf = async (one: string) => (await statusOf(one))?.state;
const setAddresses = (addresses: readonly object[]) =>
  kubectl('patch', 'ippool', 'demo', '--type=merge', '-p', JSON.stringify({ spec: { addresses } }));
const allHeld = () =>
  until('all addresses to be held', async () => (await pool()).status?.held === '4/4', 90_000);
const attempts = (records: readonly { readonly kind: string }[]) =>
  records.filter((record): record is AttemptRecord => record.kind === 'attempt');
const nodeOf = async (one: string): Promise<number> =>
  Number((await statusOf(one))?.node?.replace('node', '') ?? 0);
/** What a node's interface has. */
const onNode = async (node: number, one: string): Promise<boolean> => {
  const child = stage.cluster.runInNode(node, ['ip', '-o', 'address', 'show', 'dev', 'eth0']);
  const text = Buffer.concat((await child.stdout?.toArray()) ?? []).toString();
  return text.includes(`${one}/`);
};

beforeAll(async () => {
  stage = await raiseStage({
    ...{ name: NAME, profile: 'small', nodes: 3, heartOnFirst: true },
    homes: { [ON_SECOND]: 2, [MOVES]: 'segment', [MOVES_TOO]: 'segment' },
    specs: {
      IPPool: { addresses: ADDRESSES, placement: { interface: 'eth0', maxAddressesPerNode: 2 } },
      SendingPool: { replicas: 1, podTemplate: { nodeSelector: { 'kubernetes.io/hostname': 'node1' } } },
    },
  });
}, 600_000);
afterAll(async () => {
  if (process.env.KEEP_STAGE !== '1') await stage?.cluster.down();
}, 120_000);

test('each address is where it belongs, and mail leaves from all of them', async () => {
  await allHeld();
  expect(await statusOf(ON_FIRST)).toMatchObject({ state: 'Held', node: 'node1' });
  expect(await statusOf(ON_SECOND)).toMatchObject({ state: 'Held', node: 'node2' });
  for (const moving of [MOVES, MOVES_TOO]) expect(await onNode(await nodeOf(moving), moving)).toBe(true);
  const { judgement, records } = await runPlan(stage, { seed: 21, count: 80, perSecond: 10 });
  expect(judgement).toMatchObject(spotless);
  expect(new Set(attempts(records).map(({ source }) => source))).toEqual(
    new Set([ON_FIRST, ON_SECOND, MOVES, MOVES_TOO]),
  );
}, 300_000);

describe("the holder's node is lost, and the operator is away as well", () => {
  let moving = MOVES;
  let lost = 0;

  test('the address moves, and mail goes on from it within 30 s', async () => {
    await allHeld();
    if ((await nodeOf(MOVES)) === 1) moving = MOVES_TOO;
    lost = await nodeOf(moving);
    expect(lost).not.toBe(1);
    await kubectl('scale', 'deploy/postfleet-operator', '--replicas=0');
    let cutAt = 0;
    const cut = async () => {
      await stage.cluster.stopNode(lost);
      cutAt = Date.now();
    };
    const { judgement, records } = await runPlan(stage, {
      ...{ seed: 22, count: 480, perSecond: 8 },
      halfWay: cut,
    });
    const after = attempts(records)
      .filter(({ source, at }) => source === moving && at > cutAt + 500)
      .map(({ at }) => (at - cutAt) / 1000);
    const seconds = Math.min(...after);
    console.log(
      `sent again ${seconds.toFixed(1)} s after the node was cut off; repeated: ${judgement.duplicated}`,
    );
    expect(seconds).toBeLessThan(30);
    // A session that was cut between its final dot and the reply is repeated: nobody can know whether it was taken.
    expect(judgement).toMatchObject({ ...spotless, duplicated: expect.any(Number) });
    expect(judgement.duplicated).toBeLessThanOrEqual(2);
  }, 420_000);

  test('the operator comes back and finds the address at its new node', async () => {
    await kubectl('scale', 'deploy/postfleet-operator', '--replicas=1');
    // What stood in the status before is of the time before the node was lost.
    await until(
      'the status',
      async () => (await stateOf(moving)) === 'Held' && (await nodeOf(moving)) !== lost,
      90_000,
    );
  }, 180_000);

  test('the node comes back and does not have the address any more', async () => {
    await stage.cluster.startNode(lost);
    await stage.cluster.kubectl(['wait', '--for=condition=Ready', `node/node${lost}`, '--timeout=90s']);
    expect(await onNode(lost, moving)).toBe(false);
    await allHeld();
    const { judgement } = await runPlan(stage, { seed: 23, count: 40, perSecond: 10 });
    expect(judgement).toMatchObject(spotless);
  }, 300_000);
});

test('a node is drained: what can move goes to another node in order, nothing is lost or repeated', async () => {
  await allHeld();
  const moving = (await nodeOf(MOVES)) === 1 ? MOVES_TOO : MOVES;
  const leaving = await nodeOf(moving);
  const drain = [
    'drain',
    `node${leaving}`,
    '--delete-emptydir-data',
    '--ignore-daemonsets',
    '--timeout=150s',
  ];
  const { judgement } = await runPlan(stage, {
    ...{ seed: 27, count: 120, perSecond: 6 },
    halfWay: () => stage.cluster.kubectl(drain),
  });
  expect(judgement).toMatchObject(spotless);
  await until(
    'its new node',
    async () => (await stateOf(moving)) === 'Held' && (await nodeOf(moving)) !== leaving,
    60_000,
  );
  await stage.cluster.kubectl(['uncordon', `node${leaving}`]);
  await allHeld();
}, 420_000);

test('an address that no node has is unplaced, with the reason; the others send on', async () => {
  const nowhere = '198.51.100.99';
  await setAddresses([...ADDRESSES, address(nowhere)]);
  const said = async () => {
    const { status } = await pool();
    const found = status?.conditions?.find(({ type }: { type: string }) => type === 'AddressesHeld');
    return (await statusOf(nowhere))?.reason === 'NoNodeHasAddress' && found?.message.includes(nowhere);
  };
  await until('the reason', said, 90_000);
  const { judgement } = await runPlan(stage, { seed: 24, count: 40, perSecond: 10 });
  expect(judgement).toMatchObject(spotless);
  await setAddresses(ADDRESSES);
  await allHeld();
}, 300_000);

test('an address drains: open connections end, it is free, and mail leaves from the others', async () => {
  await setAddresses(
    ADDRESSES.map((one) => (one.address === ON_SECOND ? { ...one, state: 'Draining' } : one)),
  );
  await until('Drained', async () => (await stateOf(ON_SECOND)) === 'Drained', 150_000);
  const { judgement, records } = await runPlan(stage, { seed: 25, count: 40, perSecond: 10 });
  expect(judgement).toMatchObject(spotless);
  expect(attempts(records).filter(({ source }) => source === ON_SECOND)).toEqual([]);
  await setAddresses(ADDRESSES);
  await allHeld();
}, 300_000);

test('a new pod template rolls through the nodes, and no address is without a holder for longer than 2 s', async () => {
  await allHeld();
  const holders = async () =>
    ((await pool()).status.addresses as AddressStatus[]).map(({ holder }) => holder ?? '').sort();
  const before = await holders();
  const watching = watchHolders(stage.cluster);
  const nodeSelector = { 'kubernetes.io/os': 'linux' };
  const patch = JSON.stringify({ spec: { placement: { nodeSelector } } });
  const roll = () => kubectl('patch', 'ippool', 'demo', '--type=merge', '-p', patch);
  const { judgement } = await runPlan(stage, { seed: 26, count: 360, perSecond: 6, halfWay: roll });
  await until(
    'every address at a new pod',
    async () => (await holders()).every((one) => one !== '' && !before.includes(one)),
    120_000,
  );
  const gaps = await watching;
  console.log(`without a holder at most, in ms: ${JSON.stringify(gaps)}`);
  expect(Object.keys(gaps).sort()).toEqual([ON_FIRST, ON_SECOND, MOVES, MOVES_TOO]);
  expect(Math.max(...Object.values(gaps))).toBeLessThan(2000);
  expect(judgement).toMatchObject(spotless);
}, 420_000);
