import { readFile } from 'node:fs/promises';
import { buildDeliveryPdb } from './delivery-pdb.ts';
import { buildDeliveryService } from './delivery-service.ts';
import { buildDeliveryStatefulSet } from './delivery-statefulset.ts';
import { buildEgressDeployment, standingOf } from './egress-deployment.ts';
import { egressPort } from './names.ts';
import { installation, sampleIPPool, samplePool } from './samples.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into manifests, which are plain JSON
const spec = (manifest: any) => manifest.spec;
const podOf = (manifest: object) => spec(manifest).template.spec;
const envOf = (manifest: object) =>
  Object.fromEntries(podOf(manifest).containers[0].env.map((e: { name: string }) => [e.name, e]));

const statefulSet = buildDeliveryStatefulSet(samplePool(), installation, 3);
const deployment = buildEgressDeployment(sampleIPPool(), installation, 'node-a', null);

test('templates stand as they are in the golden files', () => {
  expect(statefulSet).toMatchSnapshot();
  expect(deployment).toMatchSnapshot();
  expect(buildDeliveryService(samplePool())).toMatchSnapshot();
  expect(buildDeliveryPdb(samplePool(), 3)).toMatchSnapshot();
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

test('pods that no node takes are not counted as the one that may be away', () => {
  expect(spec(buildDeliveryPdb(samplePool(), 4, 2) ?? {}).maxUnavailable).toBe(3);
});

test('no disruption budget for a single pod', () => {
  expect(buildDeliveryPdb(samplePool(), 1)).toBeNull();
});

test('DNS servers are named only when they are set', () => {
  const with53 = buildDeliveryStatefulSet(samplePool(), { ...installation, dnsServers: ['192.0.2.53'] }, 0);
  expect(envOf(with53).POSTFLEET_DNS_SERVERS.value).toBe('192.0.2.53');
  expect(envOf(statefulSet)).not.toHaveProperty('POSTFLEET_DNS_SERVERS');
});

test('without the host network egress takes no host port', () => {
  const built = buildEgressDeployment(
    sampleIPPool({ placement: { hostNetwork: false } }),
    installation,
    'node-a',
    null,
  );
  expect(podOf(built)).not.toHaveProperty('hostNetwork');
  expect(JSON.stringify(built)).not.toContain('hostPort');
});

test('egress ports come from the UID, two pairs of them, within 20000 to 29999', () => {
  const ports = Array.from({ length: 2000 }, (_, i) => egressPort(`uid-${i}`, 0));
  expect(ports.every((port) => port % 4 === 0 && port >= 20_000 && port <= 29_996)).toBe(true);
  expect(new Set(ports).size).toBeGreaterThan(1200);
  expect(egressPort('uid-1', 1)).toBe((ports[1] ?? 0) + 2);
});

test('a changed egress template takes the other ports, so that old and new pod fit on one node; the same one keeps its own', () => {
  const standing = standingOf({ metadata: deployment.metadata });
  const again = buildEgressDeployment(sampleIPPool(), installation, 'node-a', standing);
  expect(again).toEqual(deployment);
  const newer = { ...installation, image: 'example.org/postfleet:next' };
  const next = buildEgressDeployment(sampleIPPool(), newer, 'node-a', standing);
  const port = (manifest: object) => podOf(manifest).containers[0].ports[0].hostPort;
  expect(port(next)).toBe(port(deployment) + 2);
  const back = buildEgressDeployment(
    sampleIPPool(),
    installation,
    'node-a',
    standingOf({ metadata: next.metadata }),
  );
  expect(port(back)).toBe(port(deployment));
});

test('an egress Deployment is for one node; without nodes to choose from the scheduler finds one', () => {
  expect(podOf(deployment).affinity.nodeAffinity).toMatchObject({
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', values: ['node-a'] }] }],
    },
  });
  const anywhere = buildEgressDeployment(sampleIPPool(), installation, null, null);
  expect(podOf(anywhere)).not.toHaveProperty('affinity');
  expect(anywhere.metadata.name).toBe('main-egress');
});

test('only where egress brings addresses up it is root, with the two capabilities that this takes', () => {
  const addresses = [{ address: '192.0.2.1', ehlo: 'm1.example.org', movable: true }];
  const build = (placement: object) =>
    buildEgressDeployment(sampleIPPool({ addresses, placement }), installation, 'node-a', null);
  expect(podOf(build({ interface: 'eth0' })).containers[0].securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    runAsNonRoot: false,
    runAsUser: 0,
    capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW'] },
  });
  expect(podOf(build({})).containers[0].securityContext.capabilities).toEqual({ drop: ['ALL'] });
});
