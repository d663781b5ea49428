import { X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { register } from 'prom-client';
import type { Identity } from '../../process/identity/name.ts';
import { newRequest } from '../../process/identity/request.ts';
import { clientTls } from '../../process/identity/tls.ts';
import { type Answer, json, ScriptedApiServer, status } from '../runtime/scripted-api-server.ts';
import { type Authority, createAuthority } from './authority.ts';
import { type ServedIdentity, serveIdentity } from './serve.ts';

const REVIEW = 'POST /apis/authentication.k8s.io/v1/tokenreviews';
const POD = 'GET /api/v1/namespaces/mail/pods/demo-delivery-0';
const me: Identity = { namespace: 'mail', role: 'operator', pool: null, pod: 'op', uid: 'op' };

const user = (serviceAccount = 'postfleet-delivery', namespace = 'mail', extra: object = BOUND) => ({
  username: `system:serviceaccount:${namespace}:${serviceAccount}`,
  extra,
});
const BOUND = {
  'authentication.kubernetes.io/pod-name': ['demo-delivery-0'],
  'authentication.kubernetes.io/pod-uid': ['u-1'],
};
const reviewed = (result: object): Answer =>
  json(201, { status: { authenticated: true, audiences: ['postfleet.io'], ...result } });
const pod = (metadata: object = {}, rest: object = {}): Answer =>
  json(200, {
    metadata: {
      namespace: 'mail',
      name: 'demo-delivery-0',
      uid: 'u-1',
      labels: { 'postfleet.io/pool': 'demo' },
      ...metadata,
    },
    spec: { serviceAccountName: 'postfleet-delivery' },
    ...rest,
  });

let apiServer: ScriptedApiServer;
let authority: Authority;
let served: ServedIdentity;
let csr: string;
beforeAll(async () => {
  authority = await createAuthority();
  ({ csr } = await newRequest());
});
beforeEach(async () => {
  apiServer = await ScriptedApiServer.start();
  apiServer.script(REVIEW, reviewed({ user: user() })).script(POD, pod());
  served = await serveIdentity({
    api: apiServer.api({ attempts: 1 }),
    authority,
    allowed: (role, namespace) => namespace === (role === 'egress' ? 'egress' : 'mail'),
    port: 0,
    host: '127.0.0.1',
    credentials: await authority.issueFor(me),
  });
});
afterEach(async () => {
  await served.close();
  await apiServer.stop();
});

interface Reply {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly body: string;
}
function ask(
  body = csr,
  headers: Record<string, string> = { authorization: 'Bearer token' },
  path = '/v1/identity',
  method = 'POST',
) {
  return new Promise<Reply>((resolve, reject) => {
    const tls = clientTls({ ca: authority.ca }, { role: 'operator' });
    const sent = request(
      { ...tls, host: '127.0.0.1', port: served.port, path, method, headers, agent: false },
      (answer) => {
        let text = '';
        answer.on('data', (chunk) => {
          text += chunk;
        });
        answer.on('end', () =>
          resolve({ status: answer.statusCode, type: answer.headers['content-type'], body: text }),
        );
      },
    );
    sent.on('error', reject).end(body);
  });
}

it('certifies who the API server says it is', async () => {
  const { status, body } = await ask();
  expect(status).toBe(200);
  expect(new X509Certificate(body).subjectAltName).toContain(
    '/ns/mail/role/delivery/pool/demo/pod/demo-delivery-0/uid/u-1',
  );
  expect(body.endsWith(authority.ca)).toBe(true);
  expect(apiServer.requests[0]?.body).toMatchObject({
    spec: { token: 'token', audiences: ['postfleet.io'] },
  });
  expect(await register.getSingleMetricAsString('postfleet_identity_issued_total')).toMatch(
    /role="delivery"\} \d/,
  );
});

it.each<[string, number, string, () => unknown]>([
  [
    'a token that is not valid',
    401,
    'TokenRefused',
    () => apiServer.script(REVIEW, reviewed({ authenticated: false })),
  ],
  [
    'a token for the API server',
    401,
    'TokenRefused',
    () => apiServer.script(REVIEW, reviewed({ user: user(), audiences: ['https://kubernetes.default.svc'] })),
  ],
  [
    'an API server that knows no audiences',
    401,
    'TokenRefused',
    () => apiServer.script(REVIEW, reviewed({ user: user(), audiences: undefined })),
  ],
  [
    'somebody else’s service account',
    403,
    'UnknownServiceAccount',
    () => apiServer.script(REVIEW, reviewed({ user: user('default') })),
  ],
  [
    'a person',
    403,
    'UnknownServiceAccount',
    () => apiServer.script(REVIEW, reviewed({ user: { username: 'postfleet-delivery' } })),
  ],
  [
    'a token that is bound to no pod',
    403,
    'UnboundToken',
    () => apiServer.script(REVIEW, reviewed({ user: user('postfleet-delivery', 'mail', {}) })),
  ],
  [
    'a role’s account in another namespace',
    403,
    'WrongNamespace',
    () => apiServer.script(REVIEW, reviewed({ user: user('postfleet-delivery', 'evil') })),
  ],
  [
    'egress in the release namespace',
    403,
    'WrongNamespace',
    () => apiServer.script(REVIEW, reviewed({ user: user('postfleet-egress') })),
  ],
  ['a pod that is gone', 403, 'PodGone', () => apiServer.script(POD, status(404, 'NotFound'))],
  ['an earlier pod of the same name', 403, 'WrongPod', () => apiServer.script(POD, pod({ uid: 'u-2' }))],
  [
    'a pod of another account',
    403,
    'WrongPod',
    () => apiServer.script(POD, pod({}, { spec: { serviceAccountName: 'default' } })),
  ],
  [
    'a pod that has ended',
    403,
    'PodEnded',
    () => apiServer.script(POD, pod({}, { status: { phase: 'Failed' } })),
  ],
  ['a delivery pod of no pool', 403, 'NoPool', () => apiServer.script(POD, pod({ labels: {} }))],
  [
    'an API server that fails',
    503,
    'ApiServer',
    () => apiServer.script(REVIEW, status(500, 'InternalError')),
  ],
])('refuses %s', async (_, code, reason, prepare) => {
  prepare();
  const { status, type, body } = await ask();
  expect({ status, type }).toEqual({ status: code, type: 'application/problem+json' });
  expect(JSON.parse(body)).toMatchObject({ title: reason, status: code });
  expect(body).not.toContain('BEGIN');
  expect(await register.getSingleMetricAsString('postfleet_identity_refused_total')).toContain(
    `reason="${reason}"`,
  );
});

it.each<[string, number, () => Promise<Reply>]>([
  ['no token', 401, () => ask(csr, {})],
  ['something else than a request', 400, () => ask('hello')],
  ['a huge body', 400, () => ask('x'.repeat(20_000))],
  ['another path', 404, () => ask(csr, {}, '/')],
  ['another method', 405, () => ask('', {}, '/v1/identity', 'GET')],
])('answers %s with %d', async (_, code, send) => {
  const { status, body } = await send();
  expect(status).toBe(code);
  expect(JSON.parse(body)).toMatchObject({ status: code });
});

it('is served with its renewed certificate', async () => {
  served.renew(await authority.issueFor(me));
  expect((await ask()).status).toBe(200);
});
