import type { AddressLease } from '../../mta/bus/snapshot.ts';
import { sampleIPPool } from '../desired/samples.ts';
import type { AnyObject } from '../runtime/objects.ts';
import { placeWorld } from './placement.ts';

const store = (...objects: object[]) => ({
  list: () => objects as AnyObject[],
  get: () => undefined,
});
const node = (
  name: string,
  over: { annotations?: object; labels?: object; spec?: object; status?: string } = {},
) => ({
  metadata: { name, annotations: over.annotations, labels: over.labels },
  spec: over.spec ?? {},
  status: { conditions: [{ type: 'Ready', status: over.status ?? 'True' }] },
});
const pod = (uid: string, on: string, more: { ready?: boolean; age?: number; pool?: string } = {}) => ({
  metadata: {
    name: uid,
    uid,
    labels: {
      ...{ 'app.kubernetes.io/name': 'postfleet', 'app.kubernetes.io/component': 'egress' },
      'postfleet.io/ip-pool': more.pool ?? 'main',
    },
    creationTimestamp: new Date(1_000_000 - (more.age ?? 0)).toISOString(),
  },
  spec: { nodeName: on },
  status: { conditions: [{ type: 'Ready', status: (more.ready ?? true) ? 'True' : 'False' }] },
});
const lease = (uid: string, more: Partial<AddressLease> = {}): AddressLease => ({
  ...{ version: 1, address: '192.0.2.1', ipPool: 'mail/main', epoch: 1, renewals: 1 },
  holder: { pod: uid, uid, node: 'a', host: '10.0.0.1', port: 1 },
  ...more,
});
const worldOf = (
  nodes: readonly object[],
  pods: readonly object[] = [],
  leases: readonly AddressLease[] = [],
  spec: object = {},
) =>
  placeWorld(sampleIPPool(spec), { nodes: store(...nodes), egressPods: store(...pods) }, leases, 1_000_000);

test('where nodes cannot be read there is nothing to choose from', () => {
  expect(placeWorld(sampleIPPool(), { nodes: null, egressPods: store() }, [], 0)).toBeNull();
});

test('what of a node counts: ready, cordoned, selected, what its annotation names', () => {
  const placement = { nodeSelector: { mail: 'yes' } };
  const world = worldOf(
    [
      node('a', {
        labels: { mail: 'yes' },
        annotations: { 'postfleet.io/addresses': '192.0.2.1, 2001:db8::1 ,' },
      }),
      node('b', { spec: { unschedulable: true, taints: [{ key: 'node.kubernetes.io/out-of-service' }] } }),
      node('c', { status: 'Unknown' }),
    ],
    [],
    [],
    { placement },
  );
  expect(world?.nodes).toMatchObject([
    { name: 'a', ready: true, schedulable: true, selected: true, addresses: ['192.0.2.1', '2001:db8::1'] },
    { name: 'b', ready: false, schedulable: false, selected: false, addresses: [] },
    { name: 'c', ready: false },
  ]);
});

test('how far the pod of a node is', () => {
  const pods = [
    pod('p1', 'b', { ready: false }),
    pod('p2', 'c'),
    pod('p3', 'd', { age: 61_000 }),
    pod('p4', 'a', { pool: 'other' }),
  ];
  expect(
    worldOf(
      ['a', 'b', 'c', 'd'].map((name) => node(name)),
      pods,
    )?.nodes.map((one) => one.pod),
  ).toEqual([...['None', 'Starting', 'Ready', 'Settled']]);
});

test.each<[string, AddressLease, boolean, boolean]>([
  ['held by a pod that is there', lease('p1'), true, true],
  ['given up', lease('p1', { released: true }), false, true],
  ['of a pod that is gone', lease('p0'), false, true],
  ['of another pool', lease('p1', { ipPool: 'mail/other' }), false, false],
])('a lease %s', (_, one, isHeld, isLast) => {
  const world = worldOf([node('a')], [pod('p1', 'a')], [one]);
  expect([world?.holders.has('192.0.2.1'), world?.last.has('192.0.2.1')]).toEqual([isHeld, isLast]);
});

test('a movable address counts as movable where egress brings it up', () => {
  const addresses = [{ address: '192.0.2.1', ehlo: 'm.example.org', movable: true }];
  const movable = (placement: object) => worldOf([], [], [], { addresses, placement })?.addresses[0]?.movable;
  expect([movable({}), movable({ interface: 'eth0' })]).toEqual([false, true]);
});
