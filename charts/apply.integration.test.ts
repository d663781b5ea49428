// The chart's objects in a real API server: strictly valid, and the admission policies and rights do what they say.
import { type ApiServer, startApiServer } from '../e2e/rig/apiserver.ts';
import { APPLY, type ApiAnswer, type ApiCall, apiCalls, MERGE } from '../e2e/rig/apiserver-client.ts';
import { until } from '../e2e/rig/process.ts';
import { type Rendered, renderChart } from './render.ts';

const CLUSTER_SCOPED = new Set([
  'ClusterRole',
  'ClusterRoleBinding',
  'CustomResourceDefinition',
  'Namespace',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
]);
const plural = (kind: string): string =>
  kind.endsWith('y') ? `${kind.toLowerCase().slice(0, -1)}ies` : `${kind.toLowerCase()}s`;
const collection = ({ apiVersion, kind, metadata }: Rendered): string => {
  const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  const place = CLUSTER_SCOPED.has(kind) ? '' : `/namespaces/${metadata.namespace}`;
  return `${root}${place}/${plural(kind)}`;
};

let server: ApiServer;
let call: ApiCall;
const as = (user: string, headers: object = {}) => ({ 'Impersonate-User': user, ...headers });
const PERSON = 'alice';
const SERVICE_ACCOUNTS = 'system:serviceaccount';
const OPERATOR = `${SERVICE_ACCOUNTS}:mail:postfleet-operator`;
const objects = renderChart({ ingress: { autoscaling: { enabled: true } }, dashboards: { install: true } });

beforeAll(async () => {
  server = await startApiServer();
  call = await apiCalls(server.kubeconfigPath);
  await call('POST', '/api/v1/namespaces', { metadata: { name: 'mail' } });
  await call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'alice' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: PERSON }],
  });
}, 90_000);
afterAll(() => server?.stop());

test('every object is taken under strict validation', async () => {
  for (const object of objects) {
    const path = `${collection(object)}/${object.metadata.name}?fieldManager=test&fieldValidation=Strict`;
    const { status, body } = await call('PATCH', path, object, APPLY);
    expect({ path, ok: status < 300, message: status < 300 ? '' : body.message }).toEqual({
      path,
      ok: true,
      message: '',
    });
  }
});

describe('what holds mail', () => {
  const labels = { 'app.kubernetes.io/name': 'postfleet', 'app.kubernetes.io/component': 'delivery' };
  const SETS = '/apis/apps/v1/namespaces/mail/statefulsets';
  const PODS = '/api/v1/namespaces/mail/pods';
  const CLAIMS = '/api/v1/namespaces/mail/persistentvolumeclaims';
  const set = (name: string, own: object) => ({
    metadata: { name, labels: own },
    spec: {
      replicas: 3,
      serviceName: name,
      selector: { matchLabels: own },
      template: { metadata: { labels: own }, spec: { containers: [{ name: 'a', image: 'a' }] } },
    },
  });
  const claim = (name: string, own: object) => ({
    metadata: { name, labels: own },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  const scale = (name: string, user: string, replicas: number): Promise<ApiAnswer> =>
    call(
      'PATCH',
      `${SETS}/${name}/scale?dryRun=All`,
      { spec: { replicas } },
      as(user, MERGE) as Record<string, string>,
    );
  const edit = (name: string, user: string, patch: object): Promise<ApiAnswer> =>
    call('PATCH', `${SETS}/${name}`, patch, as(user, MERGE) as Record<string, string>);
  const remove = (path: string, user: string, options = ''): Promise<ApiAnswer> =>
    call('DELETE', `${path}?dryRun=All${options}`, undefined, as(user));
  const pod = (name: string, own: object) => ({
    metadata: { name, labels: own },
    spec: { nodeName: 'a', terminationGracePeriodSeconds: 660, containers: [{ name: 'a', image: 'a' }] },
  });

  beforeAll(async () => {
    const other = { app: 'other' };
    for (const one of [set('demo-delivery', labels), set('other', other)]) {
      const made = await call('POST', SETS, one);
      expect(made.body.message ?? made.status).toBe(201);
    }
    for (const one of [claim('spool-demo-delivery-0', labels), claim('other', other)])
      expect((await call('POST', CLAIMS, one)).status).toBe(201);
    for (const one of [pod('demo-delivery-0', labels), pod('other', other)])
      expect((await call('POST', PODS, one)).status).toBe(201);
    await call(
      'PATCH',
      '/api/v1/namespaces/mail',
      { metadata: { labels: { 'postfleet.io/holds-mail': 'true' } } },
      MERGE,
    );
    // Policies are taken up a moment after they are written.
    await until('the policies to be in force', async () => {
      const answers = [
        await remove(`${SETS}/demo-delivery`, PERSON),
        await scale('demo-delivery', PERSON, 2),
        await remove('/api/v1/namespaces/mail', PERSON),
        await remove(`${PODS}/demo-delivery-0`, PERSON, '&gracePeriodSeconds=0'),
      ];
      return answers.every(({ status }) => status === 403 || status === 422);
    });
  }, 60_000);

  test('a person cannot scale it, neither way', async () => {
    const direct = await edit('demo-delivery', PERSON, { spec: { replicas: 1 } });
    expect(direct.body.message).toContain('kubectl scale sendingpool/NAME');
    expect((await scale('demo-delivery', PERSON, 1)).body.message).toContain(
      'kubectl scale sendingpool/NAME',
    );
    expect((await scale('demo-delivery', PERSON, 3)).status).toBe(200);
  });

  test('a person may edit the rest, but not the labels that protect it', async () => {
    expect((await edit('demo-delivery', PERSON, { metadata: { annotations: { a: 'b' } } })).status).toBe(200);
    const stripped = { metadata: { labels: { 'app.kubernetes.io/component': null } } };
    expect((await edit('demo-delivery', PERSON, stripped)).body.message).toContain('cannot be changed');
  });

  test('a person cannot delete the StatefulSet, a volume, or the namespace', async () => {
    const answers = await Promise.all([
      remove(`${SETS}/demo-delivery`, PERSON),
      remove(`${CLAIMS}/spool-demo-delivery-0`, PERSON),
      remove('/api/v1/namespaces/mail', PERSON),
    ]);
    expect(answers.map(({ body }) => body.message)).toEqual([
      expect.stringContaining('statefulsets demo-delivery may hold mail: delete the SendingPool instead'),
      expect.stringContaining('persistentvolumeclaims spool-demo-delivery-0 may hold mail'),
      expect.stringContaining('namespace mail holds mail'),
    ]);
  });

  test.each([
    ['as it is', '', 200],
    ['with a longer grace period', '&gracePeriodSeconds=900', 200],
    ['by force', '&gracePeriodSeconds=0', 403],
    ['now', '&gracePeriodSeconds=1', 403],
  ])('a person deletes its pod %s: %s %i', async (_, options, status) => {
    const answer = await remove(`${PODS}/demo-delivery-0`, PERSON, options);
    expect(answer.status).toBe(status);
    if (status === 403) expect(answer.body.message).toContain('needs its grace period');
  });

  test('kubelets and controllers remove its pod by force, when it is gone for certain', async () => {
    for (const user of [`${SERVICE_ACCOUNTS}:kube-system:pod-garbage-collector`, OPERATOR])
      expect((await remove(`${PODS}/demo-delivery-0`, user, '&gracePeriodSeconds=0')).status).toBe(200);
    const kubelet = as('system:node:a', { 'Impersonate-Group': 'system:nodes' });
    const path = `${PODS}/demo-delivery-0?dryRun=All&gracePeriodSeconds=0`;
    // It has no rights here; what matters is who refuses.
    expect((await call('DELETE', path, undefined, kubelet)).body.message ?? '').not.toContain('grace period');
  });

  test('what belongs to others is not touched', async () => {
    expect((await scale('other', PERSON, 0)).status).toBe(200);
    expect((await remove(`${SETS}/other`, PERSON)).status).toBe(200);
    expect((await remove(`${CLAIMS}/other`, PERSON)).status).toBe(200);
    expect((await remove(`${PODS}/other`, PERSON, '&gracePeriodSeconds=0')).status).toBe(200);
  });

  test.each(['generic-garbage-collector', 'namespace-controller'])('the %s goes on', async (controller) => {
    const user = `${SERVICE_ACCOUNTS}:kube-system:${controller}`;
    expect((await remove(`${SETS}/demo-delivery`, user)).status).toBe(200);
    expect((await remove(`${CLAIMS}/spool-demo-delivery-0`, user)).status).toBe(200);
  });

  test('the operator goes on, within its rights', async () => {
    expect((await edit('demo-delivery', OPERATOR, { spec: { replicas: 2 } })).status).toBe(200);
    expect((await remove(`${CLAIMS}/spool-demo-delivery-0`, OPERATOR)).status).toBe(200);
    expect((await remove('/api/v1/namespaces/mail', OPERATOR)).status).toBe(403);
  });
});

test.each([
  ['get', '', 'secrets', 'mail', true],
  ['list', '', 'secrets', 'mail', false],
  ['get', '', 'secrets', 'kube-system', false],
  ['delete', '', 'secrets', 'mail', false],
  ['create', '', 'pods/exec', 'mail', false],
  ['create', 'apps', 'deployments', 'mail', false],
  ['create', 'apps', 'deployments', 'postfleet-egress', true],
  ['get', '', 'secrets', 'postfleet-egress', false],
  ['update', 'coordination.k8s.io', 'leases', 'mail', true],
  ['create', 'authentication.k8s.io', 'tokenreviews', '', true],
  ['list', '', 'pods', 'default', false],
])('may the operator %s %s/%s in "%s"? %s', async (verb, group, resource, namespace, allowed) => {
  const [name, subresource] = resource.split('/');
  const review = await call('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    spec: { user: OPERATOR, resourceAttributes: { verb, group, resource: name, subresource, namespace } },
  });
  expect(review.body.status.allowed).toBe(allowed);
});
