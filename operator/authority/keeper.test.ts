import { X509Certificate } from 'node:crypto';
import { ManualClock } from '../runtime/manual-clock.ts';
import { type KubeObject, keyOf } from '../runtime/objects.ts';
import { json, ScriptedApiServer, status } from '../runtime/scripted-api-server.ts';
import { createAuthority } from './authority.ts';
import { publishAuthority } from './keeper.ts';
import { decode, type Secret } from './secrets.ts';
import { loadAuthority, loadSealingKey } from './store.ts';

/** An API server that keeps Secrets and ConfigMaps of namespaces `mail` and `egress`. */
let server: ScriptedApiServer;
let stored: Map<string, KubeObject>;
const NAMES = [
  'postfleet-ca',
  'postfleet-dkim-sealing',
  'postfleet-nats-tls',
  'postfleet-postgres-tls',
  'postfleet-ingress-tls',
];
beforeEach(async () => {
  server = await ScriptedApiServer.start();
  stored = new Map();
  for (const namespace of ['mail', 'egress']) {
    const path = `/api/v1/namespaces/${namespace}`;
    for (const name of NAMES) {
      const key = `${namespace}/${name}`;
      server.script(`GET ${path}/secrets/${name}`, (response, request) =>
        (stored.has(key) ? json(200, stored.get(key)) : status(404, 'NotFound'))(response, request),
      );
      server.script(`PUT ${path}/secrets/${name}`, (response, request) => {
        stored.set(key, request.body as KubeObject);
        json(200, request.body)(response, request);
      });
    }
    server.script(`POST ${path}/secrets`, (response, request) => {
      const made = request.body as KubeObject;
      const key = keyOf(made.metadata);
      if (stored.has(key)) return status(409, 'AlreadyExists')(response, request);
      stored.set(key, made);
      json(201, made)(response, request);
    });
    server.script(`PATCH ${path}/configmaps/postfleet-ca`, (response, request) => {
      stored.set(`${namespace}/configmap`, request.body as KubeObject);
      json(200, request.body)(response, request);
    });
  }
});
afterEach(() => server.stop());

const secretAt = (key: string): Secret => stored.get(key) as Secret;
const value = (key: string, name: string): string => decode(secretAt(key).data?.[name] ?? '');

it('makes an authority once and takes up the stored one from then on', async () => {
  const first = await loadAuthority(server.api(), 'mail');
  const second = await loadAuthority(server.api(), 'mail');
  expect(second.pair).toEqual(first.pair);
  expect(secretAt('mail/postfleet-ca').type).toBe('kubernetes.io/tls');
});

it('ends with one authority when two operators start together', async () => {
  const [a, b] = await Promise.all([
    loadAuthority(server.api(), 'mail'),
    loadAuthority(server.api(), 'mail'),
  ]);
  expect(a.ca).toBe(b.ca);
  expect(value('mail/postfleet-ca', 'tls.crt')).toBe(a.ca);
});

it('does not replace an authority that it cannot read', async () => {
  stored.set('mail/postfleet-ca', { metadata: { namespace: 'mail', name: 'postfleet-ca' } });
  await expect(loadAuthority(server.api(), 'mail')).rejects.toThrow(
    'Secret mail/postfleet-ca has no tls.crt',
  );
  expect(server.requests.filter(({ route }) => !route.startsWith('GET'))).toEqual([]);
});

it('keeps one sealing key of 32 bytes', async () => {
  const key = await loadSealingKey(server.api(), 'mail');
  expect(key).toHaveLength(32);
  expect(await loadSealingKey(server.api(), 'mail')).toEqual(key);
  expect(Buffer.from(value('mail/postfleet-dkim-sealing', 'key'), 'base64')).toEqual(key);
});

describe('publishing', () => {
  const clock = new ManualClock();
  const publish = async () => {
    const api = server.api();
    const authority = await loadAuthority(api, 'mail', clock.now());
    await publishAuthority({ api, authority, namespace: 'mail', otherNamespaces: ['egress'], clock });
    return authority;
  };

  it('puts ca.crt in both namespaces and certificates where servers need them', async () => {
    const authority = await publish();
    for (const namespace of ['mail', 'egress'])
      expect(stored.get(`${namespace}/configmap`)).toMatchObject({ data: { 'ca.crt': authority.ca } });
    const nats = new X509Certificate(value('mail/postfleet-nats-tls', 'tls.crt'));
    for (const name of [
      'nats.postfleet.internal',
      'postfleet-nats',
      'postfleet-nats.mail.svc',
      '*.postfleet-nats',
      '*.postfleet-nats.mail.svc.cluster.local',
      'localhost',
    ])
      expect(nats.subjectAltName).toContain(`DNS:${name}`);
    expect(nats.subjectAltName).toContain('IP Address:127.0.0.1');
    expect(nats.keyUsage).toHaveLength(2);
    expect(new X509Certificate(value('mail/postfleet-ingress-tls', 'tls.crt')).keyUsage).toEqual([
      '1.3.6.1.5.5.7.3.1',
    ]);
    expect(value('mail/postfleet-postgres-tls', 'ca.crt')).toBe(authority.ca);
  });

  const serial = () => new X509Certificate(value('mail/postfleet-nats-tls', 'tls.crt')).serialNumber;
  it('leaves a good certificate alone and renews it while a third of its life is left', async () => {
    await publish();
    const first = serial();
    clock.advance(240 * 86_400_000);
    await publish();
    expect(serial()).toBe(first);
    clock.advance(5 * 86_400_000);
    await publish();
    expect(serial()).not.toBe(first);
  });

  it('renews what another authority made', async () => {
    await publish();
    const first = serial();
    stored.delete('mail/postfleet-ca');
    const authority = await publish();
    expect(serial()).not.toBe(first);
    expect(value('mail/postfleet-nats-tls', 'ca.crt')).toBe(authority.ca);
  });

  it('leaves a certificate that people brought', async () => {
    const { cert, key } = await (await createAuthority()).issueFor({
      namespace: 'x',
      role: 'ingress',
      pool: null,
      pod: 'x',
      uid: 'x',
    });
    const brought = {
      metadata: { namespace: 'mail', name: 'postfleet-ingress-tls' },
      data: { 'tls.crt': btoa(cert), 'tls.key': btoa(key) },
    };
    stored.set('mail/postfleet-ingress-tls', brought);
    await publish();
    expect(stored.get('mail/postfleet-ingress-tls')).toBe(brought);
  });
});
