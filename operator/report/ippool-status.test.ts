import type { AddressLease } from '../../mta/bus/snapshot.ts';
import type { IPPoolFindings } from '../act/findings.ts';
import { NOW, podView } from '../decide/scripted-world.ts';
import { sampleIPPool } from '../desired/samples.ts';
import { type IPPoolReport, ipPoolStatus } from './ippool-status.ts';

const [FIRST, SECOND] = ['192.0.2.1', '192.0.2.2'];
const pod = podView(0, { node: 'node-a' });
const lease = (address: string, more: Partial<AddressLease> = {}): AddressLease => ({
  version: 1,
  address,
  ipPool: 'mail/main',
  holder: { pod: pod.name, uid: pod.uid, node: 'node-a', host: '10.0.0.1', port: 20_000 },
  epoch: 1,
  renewals: 3,
  ...more,
});
const found = (over: Partial<IPPoolFindings> = {}): IPPoolFindings => ({
  nats: { kind: 'Written' },
  problem: null,
  leases: [lease(FIRST), lease(SECOND)],
  ledgers: null,
  placement: {
    addresses: [FIRST, SECOND].map((address) => ({ address, nodes: null, problem: null })),
    podNodes: ['node-a'],
  },
  ...over,
});
const report = (over: Partial<IPPoolReport> = {}): IPPoolReport => ({
  metadata: sampleIPPool().metadata,
  before: {},
  addresses: spec(FIRST, SECOND),
  problem: null,
  findings: found(),
  pods: [pod],
  unschedulable: null,
  usedBy: [],
  now: NOW,
  ...over,
});
function spec(...addresses: (string | object)[]) {
  const list = addresses.map((one) => (typeof one === 'string' ? { address: one } : one));
  return sampleIPPool({ addresses: list.map((one) => ({ ehlo: 'm.example.org', ...one })) }).spec.addresses;
}
const conditionOf = (over: Partial<IPPoolReport>, type: string) =>
  ipPoolStatus(report(over)).conditions.find((one) => one.type === type);
const statesOf = (over: Partial<IPPoolReport>) =>
  ipPoolStatus(report(over)).addresses.map(({ state, reason = '' }) => `${state} ${reason}`.trim());

test('all held', () => {
  expect(ipPoolStatus(report()).addresses[0]).toEqual({
    ...{ address: FIRST, holder: pod.name, node: 'node-a', state: 'Held' },
  });
  expect(conditionOf({}, 'Ready')).toMatchObject({ status: 'True' });
  expect(conditionOf({}, 'AddressesHeld')).toMatchObject({ status: 'True', reason: 'AsExpected' });
});

const oneHeld = (second: { nodes: string[] | null; reason?: 'NodesFull' }) =>
  found({
    leases: [lease(FIRST)],
    placement: {
      addresses: [
        { address: FIRST, nodes: null, problem: null },
        {
          address: SECOND,
          nodes: second.nodes,
          problem: second.reason ? { reason: second.reason, message: 'why' } : null,
        },
      ],
      podNodes: ['node-a'],
    },
  });

test.each<[string, Partial<IPPoolReport>]>([
  ['WaitingForHolder', { findings: oneHeld({ nodes: ['node-a'] }) }],
  ['NodesFull', { findings: oneHeld({ nodes: [], reason: 'NodesFull' }) }],
  ['NoNodeHasAddress', { findings: oneHeld({ nodes: null }) }],
  ['WaitingForHolder', { findings: { ...oneHeld({ nodes: null }), placement: null } }],
])('one that is not held says why, and the others send on: %s', (reason, over) => {
  expect(statesOf(over)).toEqual(['Held', `Unplaced ${reason}`]);
  expect(conditionOf(over, 'AddressesHeld')).toMatchObject({ status: 'False', reason: 'AddressUnplaced' });
  expect(conditionOf(over, 'AddressesHeld')?.message).toContain(`1 of 2 addresses are of use; ${SECOND}: `);
});

test('none held: no mail leaves through the pool, and the condition says so', () => {
  const none = { findings: found({ leases: [] }) };
  expect(conditionOf(none, 'AddressesHeld')).toMatchObject({ status: 'False', reason: 'NoAddressHeld' });
  expect(conditionOf(none, 'Ready')).toMatchObject({ status: 'False', reason: 'NoAddressHeld' });
});

test('a pod that no node takes matters when an address is not held for it', () => {
  const unschedulable = '0/3 nodes are available';
  expect(conditionOf({ unschedulable }, 'Ready')).toMatchObject({ status: 'True' });
  const waiting = { unschedulable, findings: oneHeld({ nodes: ['node-b'] }) };
  expect(conditionOf(waiting, 'Stalled')).toMatchObject({ status: 'True', reason: 'NoNodeForAddress' });
});

test('no address has anywhere to go: somebody must change something', () => {
  const problem = { reason: 'NodeNotFound' as const, message: 'there is no node z' };
  const placement = { addresses: [{ address: FIRST, nodes: [], problem }], podNodes: [] };
  const over = { addresses: spec(FIRST), findings: found({ leases: [], placement }) };
  expect(conditionOf(over, 'Stalled')).toMatchObject({ status: 'True', reason: 'NodeNotFound' });
});

test('a holder that is not ready, or has given it up, does not count', () => {
  expect(statesOf({ pods: [{ ...pod, ready: false }] })).toEqual(
    [FIRST, SECOND].map(() => 'Unplaced WaitingForHolder'),
  );
  const released = found({ leases: [lease(FIRST, { released: true }), lease(SECOND)] });
  expect(statesOf({ findings: released })[0]).toMatch(/^Unplaced/);
});

test('one that is taken out says why, and is not counted', () => {
  const over = {
    findings: found({ leases: [lease(FIRST), lease(SECOND, { unfit: 'it cannot be bound' })] }),
  };
  expect(statesOf(over)).toEqual(['Held', 'Unfit AddressUnfit']);
  expect(ipPoolStatus(report(over)).held).toBe('1/2');
  expect(conditionOf(over, 'AddressesHeld')).toMatchObject({ status: 'False', reason: 'AddressUnfit' });
  expect(conditionOf(over, 'AddressesHeld')?.message).toContain(`${SECOND}: it cannot be bound`);
});

test('an address drains until it is free; one that was taken out is shown until then', () => {
  const addresses = spec({ address: FIRST, state: 'Draining' });
  expect(statesOf({ addresses })).toEqual(['Draining AddressDraining', 'Draining AddressDraining']);
  const freed = found({ leases: [lease(FIRST, { released: true })] });
  const over = { addresses, findings: freed };
  expect(statesOf(over)).toEqual(['Drained AddressDrained']);
  expect(ipPoolStatus(report(over)).held).toBe('0/0');
  expect(conditionOf(over, 'AddressesHeld')).toMatchObject({ status: 'True' });
});

test('what drains at a pod that is gone has drained; at one that is only silent it has not', () => {
  const addresses = spec({ address: FIRST, state: 'Draining' });
  expect(statesOf({ addresses, pods: [] })).toEqual(['Drained AddressDrained']);
  const silent = { ...pod, ready: false };
  expect(statesOf({ addresses, pods: [silent] })).toEqual(
    [FIRST, SECOND].map(() => 'Draining AddressDraining'),
  );
});

test('an address that another pool has taken over is not shown here', () => {
  const over = {
    addresses: spec(FIRST),
    findings: found({ leases: [lease(FIRST), lease(SECOND, { ipPool: 'mail/b' })] }),
  };
  expect(statesOf(over)).toEqual(['Held']);
});
