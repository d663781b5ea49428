import type { Member, Stranded } from '../../resources/kinds.ts';
import type { NodeView, PodView, PoolWorld } from '../observe/world.ts';
import { decideGiveUp, giveUpText } from './give-up.ts';
import { NOW, obedientStatement, podView, readingsOf, unknownReading, worldOf } from './scripted-world.ts';
import { PENDING_PATIENCE_MS, type SpoolMemory, strandedSpools } from './stranded.ts';

const member = (over: Partial<Member> = {}): Member => ({
  pod: 'demo-delivery-1',
  state: 'Active',
  queued: 7,
  oldestAgeSeconds: 0,
  shards: [],
  ...over,
});
const remembered = (over: Partial<SpoolMemory> = {}): SpoolMemory => ({ members: [member()], ...over });
const node = (name: string, over: Partial<NodeView> = {}): NodeView => ({
  name,
  ready: true,
  outOfService: false,
  silentSince: null,
  ...over,
});
const silentNode = node('node-b', { ready: false, silentSince: NOW - 90_000 });

/** Two pods, of which the second is as told and, when silent, says nothing. */
function pool(second: Partial<PodView> | null, over: Partial<PoolWorld> = {}, silent = true): PoolWorld {
  const pods = [podView(0), ...(second ? [podView(1, second)] : [])];
  const readings = readingsOf(pods.map((pod) => obedientStatement(pod, null)));
  if (silent) readings.set('uid-1', unknownReading());
  return worldOf(2, { pods, readings, ...over });
}
const pending = (forMs: number) => ({
  node: null,
  ready: false,
  unschedulable: { since: NOW - forMs, message: 'volume node affinity conflict' },
});
const replicas = (count: number): Partial<PoolWorld> => {
  const { statefulSet } = worldOf(2);
  return { statefulSet: statefulSet && { ...statefulSet, replicas: count } };
};
const volumes = (change: Partial<PoolWorld['volumes'][number]>) =>
  worldOf(2).volumes.map((v) => (v.ordinal === 1 ? { ...v, ...change } : v));

describe('rule 10: what no pod can work is stated with count and since when, and never pretended away', () => {
  test.each<[string, PoolWorld, Partial<Stranded> | null]>([
    ['a pod at work', pool({}, {}, false), null],
    ['a silent pod on a ready node is not stranded: it restarts', pool({}), null],
    [
      'its node is silent',
      pool({ node: 'node-b' }, { nodes: [node('node-a'), silentNode] }),
      { why: 'NodeSilent' },
    ],
    [
      'its node is said to be silent, but it answers',
      pool({ node: 'node-b' }, { nodes: [node('node-a'), silentNode] }, false),
      null,
    ],
    ['its node was removed', pool({ node: 'node-b' }), { why: 'NodeGone' }],
    ['nodes cannot be read', pool({ node: 'node-b' }, { nodes: null }), null],
    ['no node takes it', pool(pending(PENDING_PATIENCE_MS)), { why: 'PodUnschedulable' }],
    ['no node takes it yet', pool(pending(PENDING_PATIENCE_MS - 1)), null],
    ['scaled down by hand, past the drain', pool(null, replicas(1)), { why: 'NoPod' }],
    ['its pod is being made again', pool(null), null],
    [
      'a pool of 0 replicas on the volumes of one before it',
      worldOf(0, { statefulSet: null, volumes: volumes({}).slice(1) }),
      { why: 'NoPod' },
    ],
    ['its StatefulSet is being made', worldOf(2, { statefulSet: null, pods: [] }), null],
    ['its claim has lost its volume', pool({}, { volumes: volumes({ lost: true }) }), { why: 'VolumeLost' }],
    ['proven empty', pool(null, { ...replicas(1), volumes: volumes({ provenEmpty: true }) }), null],
    ['given up', pool(null, { ...replicas(1), volumes: volumes({ givenUp: true }) }), null],
    ['never used', pool(null, { ...replicas(1), volumes: volumes({ used: false }) }), null],
  ])('%s', (_, world, expected) => {
    const found = strandedSpools(world, remembered());
    if (!expected) expect(found).toEqual([]);
    else expect(found).toMatchObject([{ volume: 'spool-demo-delivery-1', queued: 7, ...expected }]);
  });

  test('since when is the first moment, through a change of cause', () => {
    const [first] = strandedSpools(pool({ node: 'node-b' }, { nodes: [silentNode] }), remembered());
    expect(first?.since).toBe(new Date(NOW - 90_000).toISOString().replace('.000', ''));
    const later = pool(pending(PENDING_PATIENCE_MS), { now: NOW + 600_000 });
    expect(strandedSpools(later, { stranded: first ? [first] : [] })[0]).toMatchObject({
      why: 'PodUnschedulable',
      since: first?.since,
      queued: 7,
    });
  });

  test('what nobody ever said is unknown, not 0', () => {
    expect(strandedSpools(pool(null, replicas(1)), {})[0]).not.toHaveProperty('queued');
  });

  test('a pod removed by force from a silent node may still run: its mail is not free to be given up', () => {
    const owner = { pod: 'demo-delivery-1', uid: 'uid-before', node: 'node-b' };
    const shards = [{ shard: 0, epoch: 1, owner, releasing: false, former: null }];
    const assignment = { version: 1 as const, pool: 'mail/demo', revision: 1, members: [], shards };
    const forced = pool(pending(PENDING_PATIENCE_MS), { assignment, nodes: [node('node-a'), silentNode] });
    expect(strandedSpools(forced, remembered())[0]?.why).toBe('NodeSilent');
    const moved = { ...forced, pods: [podView(0), podView(1)], readings: pool({}, {}, false).readings };
    expect(strandedSpools(moved, remembered())).toEqual([]);
    const off = { ...forced, nodes: [node('node-a'), { ...silentNode, outOfService: true }] };
    expect(strandedSpools(off, remembered())[0]?.why).toBe('PodUnschedulable');
  });
});

describe('a claim that is deleted by hand while its mail is stranded', () => {
  const without = pool(null, { ...replicas(1), volumes: volumes({}).slice(0, 1) });
  const remember = (over: Partial<Member>): SpoolMemory => {
    const members = [member(over)];
    const stranded = strandedSpools(pool(null, replicas(1)), { members });
    expect(stranded).toMatchObject([{ why: 'NoPod' }]);
    return { members, stranded };
  };
  const lost = { volume: 'spool-demo-delivery-1', queued: 7, why: 'VolumeLost' };

  test.each([
    ['as which it was known', { spool: 'old' }, 'old'],
    ['of which nothing was said', {}, 'spool-demo-delivery-1'],
  ])('is a loss that is told, and stays told, of the spool %s', (_, known, spool) => {
    const found = strandedSpools(without, remember(known));
    expect(found).toMatchObject([{ ...lost, spool }]);
    expect(strandedSpools(without, { members: [], stranded: found })).toEqual(found);
    expect(decideGiveUp('spool-demo-delivery-1=7', found).accepted).toEqual(found);
  });

  test('is told once when a pod comes up on a new one', () => {
    const statement = obedientStatement(podView(1), null, { spool: { id: 'new' } });
    const world = pool({}, {}, false);
    const up = { ...world, readings: new Map([...world.readings, ...readingsOf([statement])]) };
    const memory = remember({ spool: 'old' });
    expect(strandedSpools(up, memory)).toMatchObject([{ ...lost, spool: 'old' }]);
    const stranded = strandedSpools(without, memory);
    expect(strandedSpools(up, { ...memory, stranded })).toEqual(stranded);
  });
});

describe('a pod that comes up on another, empty volume', () => {
  const on = (id: string) => {
    const world = pool({}, {}, false);
    const statement = obedientStatement(podView(1), null, { spool: { id } });
    return { ...world, readings: new Map([...world.readings, ...readingsOf([statement])]) };
  };
  const worked = remembered({ members: [member({ spool: 'old' })] });

  test('is noticed, with the last count of the one that was lost', () => {
    expect(strandedSpools(on('new'), worked)).toMatchObject([{ why: 'VolumeLost', queued: 7, spool: 'old' }]);
    expect(strandedSpools(on('old'), worked)).toEqual([]);
    expect(strandedSpools(on('first'), remembered())).toEqual([]);
  });

  test('stays said until the lost one is back', () => {
    const stranded = strandedSpools(on('new'), worked);
    const said = { members: [member({ spool: 'new', queued: 0 })], stranded };
    expect(strandedSpools(on('new'), said)).toEqual(stranded);
    expect(strandedSpools({ ...on('old') }, { members: [member()], stranded })).toEqual([]);
  });
});

describe('giving stranded mail up', () => {
  const entry = (over: Partial<Stranded> = {}): Stranded => ({
    pod: 'demo-delivery-1',
    volume: 'spool-demo-delivery-1',
    queued: 7,
    why: 'PodUnschedulable',
    message: '',
    since: '',
    ...over,
  });
  const { queued, ...unknown } = entry();

  test.each<[string | undefined, Stranded, RegExp | null]>([
    ['spool-demo-delivery-1=7', entry(), null],
    [' spool-demo-delivery-1=7, ', entry({ why: 'NoPod' }), null],
    ['spool-demo-delivery-1=unknown', unknown, null],
    ['spool-demo-delivery-1=7', entry({ queued: 9 }), /at stake is "spool-demo-delivery-1=9"/],
    ['spool-demo-delivery-1', entry(), /at stake is "spool-demo-delivery-1=7"/],
    ['spool-demo-delivery-0=7', entry(), /spool-demo-delivery-0 is not stranded/],
    ['true', entry(), /true is not stranded/],
    ['spool-demo-delivery-1=7', entry({ why: 'NodeSilent' }), /only be cut off/],
    ['spool-demo-delivery-1=7', entry({ why: 'NodeGone' }), /has not ended/],
  ])('%j', (annotation, stranded, refusal) => {
    const answer = decideGiveUp(annotation, [stranded]);
    expect(answer.accepted).toEqual(refusal ? [] : [stranded]);
    if (refusal) expect(answer.refusals).toEqual([expect.stringMatching(refusal)]);
    else expect(answer.refusals).toEqual([]);
  });

  test('nobody asks: nothing; several: all or nothing', () => {
    const other = entry({ volume: 'spool-demo-delivery-2', queued: 1 });
    expect(decideGiveUp(undefined, [entry()])).toEqual({ accepted: [], refusals: [] });
    const both = [entry(), other].map(giveUpText).join(',');
    expect(decideGiveUp(both, [entry(), other]).accepted).toHaveLength(2);
    expect(decideGiveUp(`${both}2`, [entry(), other]).accepted).toEqual([]);
  });
});
