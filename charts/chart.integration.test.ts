// What Helm makes of the chart, in the combinations that people use.
import { ingressSettings } from '../mta/ingress/settings.ts';
import { lintChart, type Rendered, renderChart } from './render.ts';

const find = (objects: readonly Rendered[], kind: string, name: string, namespace?: string): Rendered => {
  const found = objects.find(
    (one) =>
      one.kind === kind &&
      one.metadata.name === name &&
      (namespace === undefined || one.metadata.namespace === namespace),
  );
  if (!found) throw new Error(`no ${kind} ${name}`);
  return found;
};
const workloads = (objects: readonly Rendered[]): readonly Rendered[] =>
  objects.filter(({ kind }) => ['Deployment', 'StatefulSet'].includes(kind));
const envOf = (workload: Rendered): Record<string, string> =>
  Object.fromEntries(
    workload.spec.template.spec.containers[0].env.map((one: { name: string; value?: string }) => [
      one.name,
      one.value,
    ]),
  );

const COMBINATIONS: readonly (readonly [string, object])[] = [
  ['defaults', {}],
  ['small', { nats: { profile: 'small' }, ingress: { replicas: 1, hostname: 'mail.demo.example' } }],
  [
    'everything given',
    {
      nats: { url: 'tls://nats.example:4222' },
      postgres: { existingSecret: 'database' },
      ingress: { tls: { secretName: 'mail-tls' }, service: { type: 'LoadBalancer' } },
      crds: { install: false },
      egress: { createNamespace: false },
    },
  ],
  [
    'all switches on',
    {
      ingress: { autoscaling: { enabled: true } },
      metrics: { podMonitor: true },
      dashboards: { install: true },
      image: { pullSecrets: ['registry'] },
      dns: { servers: ['192.0.2.53', '192.0.2.54:5353', '[2001:db8::53]:53'] },
      egress: { allowedDestinations: ['10.0.0.0/8', 'fd00::/8'] },
    },
  ],
];

describe.each(COMBINATIONS)('with %s', (_, values) => {
  const objects = renderChart(values);

  test('helm has nothing to say against it', () => {
    expect(lintChart(values)).toContain('0 chart(s) failed');
  });

  test('every pod meets restricted Pod Security, with a read-only root', () => {
    expect(workloads(objects).length).toBeGreaterThan(2);
    for (const { metadata, spec } of workloads(objects)) {
      const pod = spec.template.spec;
      expect({ name: metadata.name, ...pod.securityContext }).toMatchObject({
        name: metadata.name,
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(pod.hostNetwork ?? pod.hostPID ?? pod.hostIPC).toBeUndefined();
      for (const volume of pod.volumes) expect(volume.hostPath).toBeUndefined();
      for (const container of pod.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources.limits.memory).toBeDefined();
        expect(container.resources.requests.cpu).toMatch(/^[1-5]?[0-9]m$/);
      }
    }
  });

  test('only the operator has a token of the API server', () => {
    const automounted = workloads(objects).filter(
      ({ spec }) => spec.template.spec.automountServiceAccountToken !== false,
    );
    expect(automounted.map(({ metadata }) => metadata.name)).toEqual(['postfleet-operator']);
  });

  test('no right is given by wildcard, and rights without a namespace are these', () => {
    const roles = objects.filter(({ kind }) => ['Role', 'ClusterRole'].includes(kind));
    expect(JSON.stringify(roles.map(({ rules }) => rules))).not.toContain('*');
    expect(find(objects, 'ClusterRole', 'postfleet-operator-mail').rules).toEqual([
      { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
      { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['namespaces'], resourceNames: ['mail'], verbs: ['get', 'patch'] },
    ]);
    const secrets = roles.flatMap(({ rules }) =>
      rules.filter(({ resources }: { resources: string[] }) => resources.includes('secrets')),
    );
    expect(secrets.map(({ verbs }) => verbs)).toEqual([['create', 'get', 'patch', 'update']]);
  });

  test('selectors find the pods of their workload and no others', () => {
    for (const { metadata, spec } of objects.filter(({ kind }) => kind === 'Service')) {
      const matching = workloads(objects).filter((workload) =>
        Object.entries(spec.selector).every(
          ([key, value]) => workload.spec.template.metadata.labels[key] === value,
        ),
      );
      expect(matching.map((workload) => workload.metadata.name)).toEqual([metadata.name]);
    }
  });
});

test('CRDs are kept when the release goes', () => {
  const crds = renderChart().filter(({ kind }) => kind === 'CustomResourceDefinition');
  expect(crds).toHaveLength(4);
  for (const { metadata } of crds)
    expect(metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
  expect(
    renderChart({ crds: { install: false } }).some(({ kind }) => kind === 'CustomResourceDefinition'),
  ).toBe(false);
});

test.each([
  ['ha', 3, true],
  ['small', 1, false],
])('NATS %s: %i servers that sync before they acknowledge', (profile, servers, clustered) => {
  const objects = renderChart({ nats: { profile } });
  const { data } = find(objects, 'ConfigMap', 'postfleet-nats');
  expect(data['nats.conf']).toContain('sync_interval: always');
  expect(data['nats.conf']).toContain('verify_and_map: true');
  expect(data['nats.conf'].includes('cluster {')).toBe(clustered);
  expect(find(objects, 'StatefulSet', 'postfleet-nats').spec.replicas).toBe(servers);
  const env = envOf(find(objects, 'Deployment', 'postfleet-operator'));
  expect(env.POSTFLEET_NATS_REPLICAS).toBe(String(servers));
  expect(env.POSTFLEET_NATS_URL?.split(',')).toHaveLength(servers);
  expect(env.POSTFLEET_NATS_URL).toContain('tls://postfleet-nats-0.postfleet-nats.mail.svc:4222');
});

test('the operator is told all that the pods it makes need', () => {
  const objects = renderChart({
    image: { repository: 'localhost/postfleet', tag: 'dev', pullPolicy: 'Never' },
    dns: { servers: ['192.0.2.53:53'] },
    egress: { namespace: 'out', allowedDestinations: ['198.51.100.0/24', '203.0.113.0/24'] },
  });
  expect(envOf(find(objects, 'Deployment', 'postfleet-operator'))).toMatchObject({
    POSTFLEET_IMAGE: 'localhost/postfleet:dev',
    POSTFLEET_IMAGE_PULL_POLICY: 'Never',
    POSTFLEET_EGRESS_NAMESPACE: 'out',
    POSTFLEET_DNS_SERVERS: '192.0.2.53:53',
    POSTFLEET_ALLOWED_DESTINATIONS: '198.51.100.0/24,203.0.113.0/24',
    POSTFLEET_DATABASE_SECRET: 'postfleet-database',
    POSTFLEET_IDENTITY_URL: 'https://postfleet-operator.mail.svc:8443/v1/identity',
    POSTFLEET_NATS_MONITOR_URL: 'https://{host}:8222',
    POSTFLEET_SHARD_MAX_BYTES: '536870912',
    POSTFLEET_INGRESS_HOSTNAME: 'postfleet-ingress.mail.svc',
  });
  find(objects, 'Role', 'postfleet-operator', 'out');
  find(objects, 'ServiceAccount', 'postfleet-egress', 'out');
});

test('an operator that is upgraded alone gives the mail pods the image that they have', () => {
  const [before, after] = [{}, { operator: { imageTag: 'v2' } }].map((values) =>
    workloads(renderChart({ image: { tag: 'v1' }, ...values })),
  );
  const differ = after?.filter((one, i) => JSON.stringify(one) !== JSON.stringify(before?.[i]));
  expect(differ?.map(({ metadata }) => metadata.name)).toEqual(['postfleet-operator']);
  const operator = find(after ?? [], 'Deployment', 'postfleet-operator');
  expect(operator.spec.template.spec.containers[0].image).toMatch(/:v2$/);
  expect(envOf(operator).POSTFLEET_IMAGE).toMatch(/:v1$/);
});

test('message sizes reach ingress as they were written, and the chart takes what ingress takes', () => {
  const size = ingressSettings.shape.POSTFLEET_MAX_MESSAGE_BYTES;
  const rendered = (values?: object) =>
    envOf(find(renderChart(values), 'Deployment', 'postfleet-ingress')).POSTFLEET_MAX_MESSAGE_BYTES;
  expect(rendered({ ingress: { maxMessageBytes: 8_000_000 } })).toBe('8000000');
  expect(size.safeParse('8000000').success).toBe(true);
  expect(rendered()).toBe(String(size.parse(undefined)));
  expect(size.safeParse('8000001').success).toBe(false);
  expect(() => rendered({ ingress: { maxMessageBytes: 8_000_001 } })).toThrow(/maxMessageBytes/);
});

test('database URLs demand a verified server, and each role has a password of its own', () => {
  const { stringData } = find(renderChart(), 'Secret', 'postfleet-database');
  const urls = ['owner-url', 'ingress-url', 'delivery-url'].map((key) => new URL(stringData[key]));
  expect(urls.map(({ username }) => username)).toEqual([
    'postfleet',
    'postfleet_ingress',
    'postfleet_delivery',
  ]);
  expect(new Set(urls.map(({ password }) => password)).size).toBe(3);
  for (const { host, searchParams } of urls) {
    expect(host).toBe('postfleet-postgres.mail.svc:5432');
    expect(searchParams.get('sslmode')).toBe('verify-full');
  }
});

test('what is given is not bundled', () => {
  const objects = renderChart({
    nats: { url: 'tls://a.example:4222,tls://b.example:4222' },
    postgres: { existingSecret: 'database' },
  });
  expect(workloads(objects).map(({ metadata }) => metadata.name)).toEqual([
    'postfleet-gateway',
    'postfleet-ingress',
    'postfleet-operator',
  ]);
  const env = envOf(find(objects, 'Deployment', 'postfleet-operator'));
  expect(env.POSTFLEET_NATS_URL).toBe('tls://a.example:4222,tls://b.example:4222');
  expect(env.POSTFLEET_DATABASE_SECRET).toBe('database');
});

test('autoscaling and a number of replicas do not fight', () => {
  const objects = renderChart({ ingress: { autoscaling: { enabled: true } } });
  expect(find(objects, 'Deployment', 'postfleet-ingress').spec.replicas).toBeUndefined();
  find(objects, 'HorizontalPodAutoscaler', 'postfleet-ingress');
});

test('ingress scales on CPU when asked to, and evictions take one pod at a time', () => {
  const off = renderChart();
  expect(off.some(({ kind }) => kind === 'HorizontalPodAutoscaler')).toBe(false);
  const autoscaling = { enabled: true, minReplicas: 3, maxReplicas: 7, cpuPercent: 55 };
  const on = renderChart({ ingress: { autoscaling, replicas: 1 } });
  expect(find(on, 'HorizontalPodAutoscaler', 'postfleet-ingress')).toMatchObject({
    apiVersion: 'autoscaling/v2',
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'postfleet-ingress' },
      ...{ minReplicas: 3, maxReplicas: 7 },
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 55 } },
        },
      ],
    },
  });
  // A share of nothing is no utilization.
  const [container] = find(on, 'Deployment', 'postfleet-ingress').spec.template.spec.containers;
  expect(container.resources.requests.cpu).toBeDefined();
  // Counted in what may be away, so that one pod alone does not keep a node from being drained.
  expect(find(on, 'PodDisruptionBudget', 'postfleet-ingress').spec).toMatchObject({ maxUnavailable: 1 });
  const alone = renderChart({ ingress: { replicas: 1 } });
  expect(
    alone.some(
      ({ kind, metadata }) => kind === 'PodDisruptionBudget' && metadata.name === 'postfleet-ingress',
    ),
  ).toBe(false);
});

test.each<readonly [string, object, RegExp]>([
  ['an unknown profile', { nats: { profile: 'huge' } }, /nats\/profile|nats\.profile/],
  ['a misspelt value', { ingres: {} }, /ingres/],
  ['a misspelt value deep inside', { ingress: { hostnme: 'a.example' } }, /hostnme/],
  ['negative replicas', { ingress: { replicas: -1 } }, /replicas/],
  ['NATS without TLS', { nats: { url: 'nats://nats.example:4222' } }, /nats\/url|nats\.url/],
  ['a hostname that is none', { ingress: { hostname: 'mail example' } }, /hostname/],
  ['an address that is no network', { egress: { allowedDestinations: ['10.0.0.1'] } }, /allowedDestinations/],
  [
    'egress beside the others',
    { egress: { namespace: 'mail' } },
    /egress\.namespace must not be the release/,
  ],
  [
    'an impossible range',
    { ingress: { autoscaling: { enabled: true, minReplicas: 5, maxReplicas: 4 } } },
    /minReplicas \(5\) must not be above maxReplicas \(4\)/,
  ],
  ['a share of CPU of nothing', { ingress: { autoscaling: { enabled: true, cpuPercent: 0 } } }, /cpuPercent/],
  [
    'a placeholder in the servers',
    { nats: { url: 'tls://{host}:4222' } },
    /\{host\} belongs to nats\.monitorUrl/,
  ],
])('%s is refused in words', (_, values, words) => {
  expect(() => renderChart(values)).toThrow(words);
});
