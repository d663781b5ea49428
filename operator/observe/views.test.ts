import type { AnyObject } from '../runtime/objects.ts';
import { podView, volumeView } from './views.ts';

const pod = (containerID?: string) =>
  podView({
    metadata: { name: 'demo-delivery-0', uid: 'u' },
    status: { containerStatuses: [{ containerID }] },
  } as unknown as AnyObject);

test('a container that is only being made is no run of the pod', () => {
  expect(pod('containerd://1').container).toBe('containerd://1');
  expect(pod('').container).toBeNull();
  expect(pod().container).toBeNull();
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
