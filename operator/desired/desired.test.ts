import { readFile } from 'node:fs/promises';
import { buildDeliveryPdb } from './delivery-pdb.ts';
import { buildDeliveryService } from './delivery-service.ts';
import { buildDeliveryStatefulSet } from './delivery-statefulset.ts';
import { buildEgressDeployment } from './egress-deployment.ts';
import { egressPort } from './names.ts';
import { installation, sampleIPPool, samplePool } from './samples.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into manifests, which are plain JSON
const spec = (manifest: any) => manifest.spec;
const podOf = (manifest: object) => spec(manifest).template.spec;
const envOf = (manifest: object) =>
  Object.fromEntries(podOf(manifest).containers[0].env.map((e: { name: string }) => [e.name, e]));

const statefulSet = buildDeliveryStatefulSet(samplePool(), installation, 3);
const deployment = buildEgressDeployment(sampleIPPool(), installation);

test('templates stand as they are in the golden files', () => {
  expect(statefulSet).toMatchSnapshot();
  expect(deployment).toMatchSnapshot();
  expect(buildDeliveryService(samplePool())).toMatchSnapshot();
  expect(buildDeliveryPdb(samplePool())).toMatchSnapshot();
});

test("the operator's version is not in the templates: an upgrade of the operator restarts no pod", async () => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'));
  for (const manifest of [statefulSet, deployment]) expect(JSON.stringify(manifest)).not.toContain(version);
});

test('replicas are never applied with the template', () =>
  expect(spec(statefulSet)).not.toHaveProperty('replicas'));

test('the StatefulSet has no owner that a cascading delete would take it with', () => {
  expect(statefulSet.metadata).not.toHaveProperty('ownerReferences');
});

test('a pod that leaves or a deleted StatefulSet keeps its volume', () => {
  expect(spec(statefulSet).persistentVolumeClaimRetentionPolicy).toEqual({
    whenDeleted: 'Retain',
    whenScaled: 'Retain',
  });
});

test.each([
  ['delivery', statefulSet],
  ['egress', deployment],
])('%s runs restricted and without an API token', (_, manifest) => {
  const pod = podOf(manifest);
  expect(pod).toMatchObject({
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  });
  expect(pod.containers[0].securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
});

test('pod template bits of the pool are added and cannot take our labels away', () => {
  const pool = samplePool({
    podTemplate: {
      labels: { team: 'a', 'postfleet.io/pool': 'other' },
      annotations: { note: 'b' },
      nodeSelector: { disk: 'fast' },
      resources: { limits: { memory: '2Gi' } },
    },
  });
  const built = spec(buildDeliveryStatefulSet(pool, installation, 0)).template;
  expect(built.metadata.labels).toMatchObject({ team: 'a', 'postfleet.io/pool': 'demo' });
  expect(built.metadata.annotations.note).toBe('b');
  expect(built.spec.nodeSelector).toEqual({ disk: 'fast' });
  expect(built.spec.containers[0].resources).toMatchObject({
    limits: { memory: '2Gi' },
    requests: { cpu: '50m' },
  });
});

test('no disruption budget for a single pod', () => {
  expect(buildDeliveryPdb(samplePool({ replicas: 1 }))).toBeNull();
});

test('DNS servers are named only when they are set', () => {
  const with53 = buildDeliveryStatefulSet(samplePool(), { ...installation, dnsServers: ['192.0.2.53'] }, 0);
  expect(envOf(with53).POSTFLEET_DNS_SERVERS.value).toBe('192.0.2.53');
  expect(envOf(statefulSet)).not.toHaveProperty('POSTFLEET_DNS_SERVERS');
});

test('without the host network egress takes no host port', () => {
  const built = buildEgressDeployment(sampleIPPool({ placement: { hostNetwork: false } }), installation);
  expect(podOf(built)).not.toHaveProperty('hostNetwork');
  expect(JSON.stringify(built)).not.toContain('hostPort');
});

test('egress ports come from the UID, even, within 20000 to 29998', () => {
  const ports = Array.from({ length: 2000 }, (_, i) => egressPort(`uid-${i}`));
  expect(ports.every((port) => port % 2 === 0 && port >= 20_000 && port <= 29_998)).toBe(true);
  expect(new Set(ports).size).toBeGreaterThan(1500);
  expect(egressPort('uid-1')).toBe(ports[1]);
});
