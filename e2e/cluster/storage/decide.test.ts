import { PROVISIONER } from './class.ts';
import { bytesOf, type Claim, missingVolumes, releasedVolumes, type Volume } from './decide.ts';

const claim = (spec: Partial<Claim['spec']> = {}, node: string | undefined = 'node1'): Claim => ({
  metadata: {
    name: 'data-nats-0',
    namespace: 'mail',
    uid: 'u1',
    annotations: node ? { 'volume.kubernetes.io/selected-node': node } : {},
  },
  spec: { storageClassName: 'local', resources: { requests: { storage: '2Gi' } }, ...spec },
});
const volume = (change: { phase?: string; by?: string; path?: string; policy?: string } = {}): Volume => ({
  metadata: { name: 'pvc-u1', annotations: { 'pv.kubernetes.io/provisioned-by': change.by ?? PROVISIONER } },
  spec: {
    persistentVolumeReclaimPolicy: change.policy ?? 'Delete',
    local: { path: change.path ?? '/state/node1/volumes/pvc-u1' },
  },
  status: { phase: change.phase ?? 'Released' },
});

test('a claim that has its node gets a volume there, of its size, for it alone', () => {
  const [made] = missingVolumes([claim()], [], '/state');
  expect(made?.path).toBe('/state/node1/volumes/pvc-u1');
  expect(made?.manifest).toMatchObject({
    metadata: { name: 'pvc-u1' },
    spec: {
      capacity: { storage: '2Gi' },
      claimRef: { name: 'data-nats-0', namespace: 'mail', uid: 'u1' },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ values: ['node1'] }] }] } },
    },
  });
});

test.each([
  ['no node yet', claim({}, ''), []],
  ['another class', claim({ storageClassName: 'other' }), []],
  ['bound', claim({ volumeName: 'pvc-u1' }), []],
  ['made a moment ago', claim(), [volume({ phase: 'Available' })]],
])('no volume is made for a claim that is: %s', (_name, wish, volumes) => {
  expect(missingVolumes([wish], volumes, '/state')).toEqual([]);
});

test.each([
  ['1Gi', 2 ** 30],
  ['1.5Mi', 1.5 * 2 ** 20],
  ['2G', 2e9],
  ['512', 512],
])('%s is %d bytes', (quantity, bytes) => {
  expect(bytesOf(quantity)).toBe(bytes);
  expect(() => bytesOf('much')).toThrow('much');
});

test('a node name cannot lead out of the state folder', () => {
  expect(missingVolumes([claim({}, '../../etc')], [], '/state')[0]?.path).toBe('/state/etc/volumes/pvc-u1');
});

test.each([
  ['released', volume(), 1],
  ['still bound', volume({ phase: 'Bound' }), 0],
  ['to be kept', volume({ policy: 'Retain' }), 0],
  ['made by somebody else', volume({ by: 'other' }), 0],
  ['outside our folder', volume({ path: '/home' }), 0],
])('a volume that is %s', (_name, one, removed) => {
  expect(releasedVolumes([one], '/state')).toHaveLength(removed);
});
