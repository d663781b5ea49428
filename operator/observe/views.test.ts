import type { AnyObject } from '../runtime/objects.ts';
import { isRollingOut, podView, volumeView } from './views.ts';

const pod = (containerID?: string, restartCount?: number) =>
  podView({
    metadata: { name: 'demo-delivery-0', uid: 'u' },
    status: { containerStatuses: [{ containerID, restartCount }] },
  } as unknown as AnyObject);

test('a container that is only being made is no run of the pod', () => {
  expect(pod('containerd://1').container).toBe('containerd://1');
  expect(pod('').container).toBeNull();
  expect(pod().container).toBeNull();
});

test('how often a container has restarted; none yet reads as never', () => {
  expect([pod('containerd://1', 3).restarts, pod().restarts]).toEqual([3, 0]);
});

test('the marks of a volume are read from its claim', () => {
  const claim = (annotations: object) =>
    volumeView({
      metadata: { name: 'spool-demo-delivery-2', resourceVersion: '5', annotations },
    } as unknown as AnyObject);
  expect(claim({})).toMatchObject({ ordinal: 2, used: false, provenEmpty: false, resourceVersion: '5' });
  expect(claim({ 'postfleet.io/used-since': 'x' })).toMatchObject({ used: true, provenEmpty: false });
  expect(claim({ 'postfleet.io/proven-empty': 'x' })).toMatchObject({ provenEmpty: true });
});

test.each<[string, object, number, boolean]>([
  ['has settled', { observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1 }, 2, false],
  ['was just changed', { observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 1 }, 2, true],
  [
    'still has its old pod',
    { observedGeneration: 2, replicas: 2, updatedReplicas: 1, readyReplicas: 2 },
    2,
    true,
  ],
  ['has a pod that is not ready', { observedGeneration: 2, replicas: 1, updatedReplicas: 1 }, 2, true],
  ['was only made', {}, 1, true],
])('a Deployment that %s', (_, status, generation, rolling) => {
  const deployment = { metadata: { name: 'x', generation }, spec: { replicas: 1 }, status };
  expect(isRollingOut(deployment as unknown as AnyObject)).toBe(rolling);
});
