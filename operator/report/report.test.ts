import type { PoolFindings } from '../act/findings.ts';
import type { Scaling } from '../decide/autoscale.ts';
import { decideDrain } from '../decide/drain.ts';
import {
  NOW,
  obedientStatement,
  podView,
  readingsOf,
  unknownReading,
  worldOf,
} from '../decide/scripted-world.ts';
import { strandedSpools } from '../decide/stranded.ts';
import { sampleDomain, samplePool } from '../desired/samples.ts';
import type { PoolWorld } from '../observe/world.ts';
import { domainStatus } from './domain-status.ts';
import { durableStorage } from './durable-storage.ts';
import { estimateSeconds } from './estimate.ts';
import { policyStatus } from './policy-status.ts';
import { type PoolReport, poolStatus } from './pool-status.ts';
import { volumesSized } from './storage-size.ts';

const assignment = (cordoned: string[] = []) => ({
  version: 1 as const,
  pool: 'mail/demo',
  revision: 1,
  members: [0, 1].map((i) => ({
    pod: `demo-delivery-${i}`,
    uid: `uid-${i}`,
    cordoned: cordoned.includes(`uid-${i}`),
    handOver: cordoned.includes(`uid-${i}`),
  })),
  shards: [0, 1].map((shard) => ({
    shard,
    epoch: 1,
    owner: { pod: `demo-delivery-${shard}`, uid: `uid-${shard}`, node: 'node-a' },
    releasing: false,
    former: null,
  })),
});

function report(desired = 2, over: Partial<PoolWorld> = {}, found: Partial<PoolFindings> = {}): PoolReport {
  const given = over.assignment ?? assignment();
  const base = worldOf(2, { desiredReplicas: desired, assignment: given });
  const spool = { entries: 4, bytes: 100, oldestAcceptedAt: NOW - 65_000 };
  const statements = base.pods.map((pod) =>
    obedientStatement(pod, given, pod.ordinal === 1 ? { spool } : {}),
  );
  const world = { ...base, readings: readingsOf(statements), ...over };
  const findings: PoolFindings = {
    uid: 'pool-1',
    at: NOW,
    generation: 1,
    nats: { kind: 'Written' },
    problem: null,
    assignment: world.assignment,
    readings: world.readings,
    streams: { parcels: 10, bounces: 0, closed: false },
    drain: decideDrain(world),
    drainModeFault: null,
    deletion: null,
    scaling: null,
    progress: [],
    ...found,
  };
  const storage = durableStorage([]);
  const { metadata } = samplePool();
  return {
    metadata,
    before: {},
    world,
    problem: null,
    findings,
    unschedulable: null,
    storage: [storage],
    autoscales: false,
    stranded: strandedSpools(world, {}),
    giveUpRefusals: [],
    trial: null,
  };
}

test('an annotation that nobody understands is told as long as a pod leaves', () => {
  const over = { drainModeFault: 'annotation postfleet.io/drain-mode is "wait": write Transfer or Wait' };
  const ready = (desired: number) => condition(poolStatus(report(desired, over)), 'Ready');
  expect(ready(1)).toMatchObject({ reason: 'InvalidDrainMode', message: over.drainModeFault });
  expect(ready(2)).toMatchObject({ status: 'True' });
});

const scaling: Scaling = {
  ...{ replicas: 2, reason: 'AtTarget', message: '14 ready at 10 a pod' },
  load: { ready: 14, inFlight: 3, perSecond: 1.6, silent: [] },
  history: [{ at: 7, low: 2, high: 2 }],
};

describe('autoscaling in the status of a SendingPool', () => {
  const autoscaling = {
    ...{ replicas: 2, reason: 'AtTarget', message: '14 ready at 10 a pod', history: [...scaling.history] },
    ...{ ready: 14, inFlight: 3, perSecond: 2, silent: 0 },
  };

  test('what was decided, and from what', () => {
    const status = poolStatus({ ...report(2, {}, { scaling }), autoscales: true });
    expect(status).toMatchObject({ desiredReplicas: 2, autoscaling });
    expect(condition(status, 'Autoscaled')).toMatchObject({ status: 'True', reason: 'AtTarget' });
  });

  test('a new operator keeps what stands there until it has decided itself', () => {
    const kept = poolStatus({ ...report(), autoscales: true, before: { autoscaling } });
    expect(kept).toMatchObject({ autoscaling });
    const first = poolStatus({ ...report(), autoscales: true });
    expect(first.autoscaling).toBeUndefined();
    expect(condition(first, 'Autoscaled')).toMatchObject({ status: 'Unknown', reason: 'WaitingForNats' });
  });

  test.each([
    ['AtMaximum', 'False'],
    ['LoadUnknown', 'Unknown'],
    ['Stabilizing', 'True'],
  ] as const)('%s is %s', (reason, is) => {
    const found = { scaling: { ...scaling, reason } };
    const status = poolStatus({ ...report(2, {}, found), autoscales: true });
    expect(condition(status, 'Autoscaled')).toMatchObject({ status: is, reason });
  });

  test('switched off, nothing of it stays', () => {
    const { conditions } = poolStatus({ ...report(2, {}, { scaling }), autoscales: true });
    const status = poolStatus({ ...report(), before: { autoscaling, conditions } });
    expect(status.autoscaling).toBeUndefined();
    expect(condition(status, 'Autoscaled')).toBeUndefined();
  });
});

const condition = (status: { conditions: readonly { type: string }[] }, type: string) =>
  status.conditions.find((c) => c.type === type);

describe('a SendingPool', () => {
  test('that is well', () => {
    const status = poolStatus(report());
    expect(condition(status, 'Ready')).toMatchObject({
      status: 'True',
      reason: 'AsExpected',
      observedGeneration: 1,
    });
    expect(condition(status, 'Drained')).toMatchObject({ status: 'True' });
    expect(status).toMatchObject({ replicas: 2, readyReplicas: 2, backlog: 14 });
    expect(status.members[1]).toEqual({
      pod: 'demo-delivery-1',
      state: 'Active',
      queued: 4,
      oldestAgeSeconds: 60,
      shards: [1],
      node: 'node-a',
    });
    expect(status).not.toHaveProperty('drain');
  });

  test('of which a pod is leaving', () => {
    const status = poolStatus(
      report(
        1,
        { assignment: assignment(['uid-1']) },
        {
          progress: [
            { at: NOW - 4000, left: 8 },
            { at: NOW, left: 4 },
          ],
        },
      ),
    );
    expect(status.drain).toMatchObject({
      pod: 'demo-delivery-1',
      step: 'HandingOver',
      left: 4,
      estimateSeconds: 4,
    });
    expect(status.members[1]?.state).toBe('HandingOver');
    expect(condition(status, 'Ready')).toMatchObject({ status: 'False', reason: 'Draining' });
    expect(condition(status, 'Reconciling')).toMatchObject({ status: 'True' });
  });

  test('whose leaving pod is silent is stalled, and how much is left is unknown', () => {
    const world = worldOf(2, { desiredReplicas: 1, assignment: assignment(['uid-1']) });
    const readings = new Map([['uid-1', unknownReading()]]);
    const silent = { ...world, readings };
    const status = poolStatus(
      report(1, { assignment: world.assignment, readings }, { drain: decideDrain(silent) }),
    );
    expect(condition(status, 'Stalled')).toMatchObject({ status: 'True', reason: 'Unreachable' });
    expect(condition(status, 'Drained')).toMatchObject({ status: 'Unknown' });
    expect(status.members[1]?.state).toBe('Unreachable');
  });

  test.each<[string, PoolReport]>([
    ['IPPoolNotFound', { ...report(), problem: { reason: 'IPPoolNotFound', message: 'no' } }],
    ['NatsUnavailable', report(2, {}, { nats: { kind: 'Unavailable', message: 'disconnected' } })],
    ['WaitingForNats', { ...report(), findings: null }],
    ['PodUnschedulable', { ...report(), unschedulable: 'no node fits' }],
    ['ScalingUp', report(3)],
    ['WaitingForPods', report(2, { pods: [podView(0), podView(1, { ready: false })] })],
    ['ShardUnowned', report(2, {}, { assignment: null })],
    ['Stranded', report(1, { statefulSet: { ...statefulSet(), replicas: 1 }, pods: [podView(0)] })],
  ])('that is not ready says why: %s', (reason, given) => {
    expect(condition(poolStatus(given), 'Ready')).toMatchObject({ status: 'False', reason });
  });

  test('whose pod was removed by force from a silent node says what its shards wait for', () => {
    const owner = { pod: 'demo-delivery-1', uid: 'uid-before', node: 'node-b' };
    const given = assignment();
    const shards = given.shards.map((shard) => (shard.shard === 1 ? { ...shard, owner } : shard));
    const node = { name: 'node-b', ready: false, outOfService: false, silentSince: NOW };
    const nodes = [...(worldOf(2).nodes ?? []), node];
    const said = condition(poolStatus(report(2, { assignment: { ...given, shards }, nodes })), 'Stalled');
    expect(said).toMatchObject({ status: 'True', reason: 'PodLost' });
    expect((said as unknown as { message: string }).message).toContain('1 shards wait for demo-delivery-1');
    const off = nodes.map((one) => ({ ...one, outOfService: true }));
    const fenced = poolStatus(report(2, { assignment: { ...given, shards }, nodes: off }));
    expect(condition(fenced, 'Stalled')).toMatchObject({ status: 'False' });
  });

  test('that is being deleted says how much is left and for how long', () => {
    const deletionTimestamp = '2026-11-01T00:00:00Z';
    const step = { step: 'Deliver', left: 30, refusal: null } as const;
    const progress = [
      { at: NOW - 10_000, left: 50 },
      { at: NOW, left: 30 },
    ];
    const base = report(2, {}, { deletion: step, drain: null, progress });
    const status = poolStatus({ ...base, metadata: { ...base.metadata, deletionTimestamp } });
    expect(status.deletion).toMatchObject({ step: 'Deliver', left: 30, estimateSeconds: 15 });
    expect(condition(status, 'Ready')).toMatchObject({ status: 'False', reason: 'Deleting' });
  });

  test('seen again is the same to the byte', () => {
    const first = poolStatus(report());
    const again = { ...report(2, { now: NOW + 2000 }), before: first };
    expect(poolStatus(again)).toEqual(first);
  });
});

function statefulSet() {
  const set = worldOf(2).statefulSet;
  if (!set) throw new Error('the scripted world has one');
  return set;
}

test('local volumes put a condition on the pool; what is not known is not claimed', () => {
  expect(durableStorage(['rancher.io/local-path'])).toMatchObject({ status: 'False', reason: 'LocalVolume' });
  expect(durableStorage(['ebs.csi.aws.com'])).toMatchObject({ status: 'True' });
  expect(durableStorage([null])).toMatchObject({ status: 'Unknown' });
});

describe('volumes that are', () => {
  const claim = (requested: string, capacity: string | null) => ({ name: 'spool-0', requested, capacity });
  test.each([
    ['as large as wanted', [claim('10Gi', '10Gi')], null, 'True', 'AsExpected'],
    [
      'larger, and one not bound yet',
      [claim('10240Mi', '20Gi'), claim('10Gi', null)],
      null,
      'True',
      'AsExpected',
    ],
    ['growing', [claim('10Gi', '5Gi')], null, 'False', 'VolumeGrowing'],
    ['not asked for yet', [claim('5Gi', '5Gi')], null, 'False', 'VolumeGrowing'],
    ['not to grow', [claim('5Gi', '5Gi')], 'spool-0 cannot grow', 'False', 'VolumeCannotGrow'],
  ])('%s', (_, claims, refused, status, reason) => {
    expect(volumesSized('10Gi', claims, refused)).toMatchObject({ status, reason });
  });
});

test('a policy says in its column who uses it', () => {
  const { metadata } = samplePool();
  expect(policyStatus(metadata, {}, null, ['a', 'b'], NOW)).toMatchObject({
    usedBy: ['a', 'b'],
    pools: 'a, b',
  });
});

test.each([
  ['nothing seen', [], null],
  [
    'too short',
    [
      { at: 0, left: 9 },
      { at: 2000, left: 3 },
    ],
    null,
  ],
  [
    'no progress',
    [
      { at: 0, left: 9 },
      { at: 9000, left: 9 },
    ],
    null,
  ],
  [
    'a steady rate',
    [
      { at: 0, left: 100 },
      { at: 10_000, left: 80 },
    ],
    40,
  ],
])('the estimate with %s', (_, samples, seconds) => expect(estimateSeconds(samples)).toBe(seconds));

test('records that are missing do not make a domain less ready; a missing key does', () => {
  const record = { name: 'pf1._domainkey.example.org', type: 'TXT', value: 'v=DKIM1', seen: 'No' as const };
  const base = {
    metadata: sampleDomain().metadata,
    before: {},
    problem: null,
    keyProblem: null,
    records: [record],
    findings: { nats: { kind: 'Written' as const } },
    now: NOW,
  };
  const status = domainStatus(base);
  expect(status.recordsSeen).toBe('0/1');
  const seen = domainStatus({ ...base, records: [record, { ...record, seen: 'Yes' as const }] });
  expect(seen.recordsSeen).toBe('1/2');
  expect(domainStatus({ ...base, records: [] })).not.toHaveProperty('recordsSeen');
  expect(condition(status, 'Ready')).toMatchObject({ status: 'True' });
  expect(condition(status, 'DNSVerified')).toMatchObject({ status: 'False', reason: 'RecordsMissing' });
  const keyless = domainStatus({ ...base, keyProblem: { reason: 'KeyMissing', message: 'gone' } });
  expect(condition(keyless, 'Ready')).toMatchObject({ status: 'False', reason: 'KeyMissing' });
  expect(condition(keyless, 'KeysReady')).toMatchObject({ status: 'False' });
});
