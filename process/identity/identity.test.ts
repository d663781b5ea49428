import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ConnectionOptions,
  connect,
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { type Authority, createAuthority } from '../../operator/authority/authority.ts';
import { Readiness } from '../health.ts';
import { type Credentials, renewalTime, unusable } from './credentials.ts';
import { ensureIdentity, type IdentityOptions, type PodIdentity } from './ensure.ts';
import { obtainCredentials } from './exchange.ts';
import { readCredentials, writeCredentials } from './folder.ts';
import { type Identity, identityUri, type Role } from './name.ts';
import { peerIdentity } from './peer.ts';
import { clientTls, type Expected, expectRole, serverTls } from './tls.ts';

const of = (role: Role, uid = 'u-1'): Identity => ({
  namespace: 'mail',
  role,
  pool: 'main',
  pod: `${role}-0`,
  uid,
});
const HOUR = 3_600_000;

let authority: Authority;
let folder: string;
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  authority = await createAuthority();
  folder = await mkdtemp(join(tmpdir(), 'postfleet-identity-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await rm(folder, { recursive: true });
});

describe('TLS between roles', () => {
  async function serve(credentials: Credentials): Promise<{ port: number; server: TlsServer }> {
    const server = createTlsServer(serverTls(credentials), (socket) => {
      socket.on('error', () => {});
      socket.pipe(socket);
      socket.write(`${peerIdentity(socket)?.uid}\n`);
    });
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => server.close(resolve)));
    return { port: (server.address() as AddressInfo).port, server };
  }

  /** Connects and gives the socket with the first line it reads; rejects when either end refuses. */
  function reach(port: number, options: ConnectionOptions): Promise<{ socket: TLSSocket; line: string }> {
    return new Promise((resolve, reject) => {
      const socket = connect({ ...options, host: '127.0.0.1', port });
      closing.push(() => socket.destroy());
      socket.once('error', reject).once('close', () => reject(new Error('closed')));
      socket.once('data', (data) => resolve({ socket, line: data.toString().trim() }));
    });
  }
  const client = async (expected: Expected) =>
    clientTls(await authority.issueFor(of('delivery', 'd-1')), expected);

  it.each<[string, Expected]>([
    ['its role', { role: 'egress' }],
    ['its role and pool', { role: 'egress', pool: 'main' }],
    ['this very pod', { role: 'egress', uid: 'u-1' }],
  ])('connects to %s by address, and both know each other', async (_, expected) => {
    const { port } = await serve(await authority.issueFor(of('egress')));
    const { socket, line } = await reach(port, await client(expected));
    expect(line).toBe('d-1');
    expect(peerIdentity(socket)).toEqual(of('egress'));
    expect(socket.getProtocol()).toBe('TLSv1.3');
  });

  it.each<[string, Expected, string]>([
    ['another role', { role: 'ingress' }, 'expected role ingress, but egress answered'],
    ['another pool', { role: 'egress', pool: 'other' }, 'expected pool other, but main answered'],
    ['an earlier pod', { role: 'egress', uid: 'u-0' }, 'expected pod u-0, but u-1 answered'],
  ])('refuses a server that is %s', async (_, expected, message) => {
    const { port } = await serve(await authority.issueFor(of('egress')));
    await expect(reach(port, await client(expected))).rejects.toThrow(message);
  });

  it('refuses a certificate that names no identity, or a role only by its DNS name', () => {
    const judge = expectRole('egress');
    expect(judge('', { subjectaltname: undefined })).toBeInstanceOf(Error);
    expect(judge('', { subjectaltname: 'DNS:egress.postfleet.internal' })).toBeInstanceOf(Error);
    expect(judge('', { subjectaltname: `DNS:x, URI:${identityUri(of('egress'))}` })).toBeUndefined();
  });

  it('refuses a server of another authority', async () => {
    const { port } = await serve(await (await createAuthority()).issueFor(of('egress')));
    await expect(reach(port, await client({ role: 'egress' }))).rejects.toThrow(/certificate/);
  });

  it('refuses a client without a certificate', async () => {
    const { port } = await serve(await authority.issueFor(of('egress')));
    await expect(reach(port, clientTls({ ca: authority.ca }, { role: 'egress' }))).rejects.toThrow(
      /certificate required|closed|ECONNRESET/,
    );
  });

  it('refuses a client of another authority', async () => {
    const { port } = await serve(await authority.issueFor(of('egress')));
    const stranger = await (await createAuthority()).issueFor(of('delivery'));
    const options = { ...clientTls(stranger, { role: 'egress' }), ca: authority.ca };
    await expect(reach(port, options)).rejects.toThrow(/unknown ca|closed|ECONNRESET/);
  });

  it('refuses an expired server and an expired client', async () => {
    const past = { lifetimeSeconds: 60, now: new Date(Date.now() - 2 * HOUR) };
    const old = await authority.issueFor(of('egress'), past);
    await expect(reach((await serve(old)).port, await client({ role: 'egress' }))).rejects.toThrow(
      'certificate has expired',
    );
    const { port } = await serve(await authority.issueFor(of('egress')));
    const expired = clientTls(await authority.issueFor(of('delivery'), past), { role: 'egress' });
    await expect(reach(port, expired)).rejects.toThrow(/expired|closed|ECONNRESET/);
  });

  it('renews a server without dropping what is open', async () => {
    await writeCredentials(folder, await authority.issueFor(of('egress')));
    const identity = await ensureIdentity(settings(), {});
    const { port, server } = await serve(identity.credentials);
    const options = await client({ role: 'egress' });
    const { socket } = await reach(port, options);
    const before = socket.getPeerCertificate().serialNumber;
    server.setSecureContext(serverTls(await authority.issueFor(of('egress', 'u-1'))));
    const second = await reach(port, options);
    expect(second.socket.getPeerCertificate().serialNumber).not.toBe(before);
    const echoed = new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    socket.write('still here');
    expect(await echoed).toBe('still here');
  });
});

const settings = (url?: string) => ({
  POSTFLEET_POD_UID: 'u-1',
  POSTFLEET_IDENTITY_DIR: join(folder, 'own'),
  POSTFLEET_IDENTITY_URL: url,
  POSTFLEET_IDENTITY_TOKEN_FILE: join(folder, 'token'),
  POSTFLEET_IDENTITY_CA_FILE: join(folder, 'ca.crt'),
  ...(url ? {} : { POSTFLEET_IDENTITY_DIR: folder }),
});

describe('the folder', () => {
  it('is replaced as one, keeps the key private, and leaves nothing behind', async () => {
    const first = await authority.issueFor(of('egress'));
    const second = await authority.issueFor(of('egress'));
    await writeCredentials(folder, first);
    expect(await readCredentials(folder)).toEqual(first);
    await writeCredentials(folder, second);
    expect(await readCredentials(folder)).toEqual(second);
    expect((await readdir(folder)).filter((name) => !name.startsWith('..'))).toEqual([
      'ca.crt',
      'tls.crt',
      'tls.key',
    ]);
    expect(await readdir(folder)).toHaveLength(5);
    expect((await stat(join(folder, 'tls.key'))).mode & 0o077).toBe(0);
  });
});

describe('validity', () => {
  const now = new Date();
  it.each<[string, (good: Credentials) => Promise<Credentials>, string]>([
    ['another pod', async () => authority.issueFor(of('egress', 'u-2')), 'of pod u-2'],
    [
      'the past',
      async () => authority.issueFor(of('egress'), { lifetimeSeconds: 1, now: new Date(+now - HOUR) }),
      'not valid now',
    ],
    [
      'another key',
      async (good) => ({ ...good, key: (await authority.issueFor(of('egress'))).key }),
      'do not match',
    ],
    [
      'another authority',
      async (good) => ({ ...good, ca: (await createAuthority()).ca }),
      'another authority',
    ],
  ])('is refused to credentials of %s', async (_, spoil, why) => {
    const good = await authority.issueFor(of('egress'));
    expect(unusable(good, 'u-1', now)).toBeNull();
    expect(unusable(await spoil(good), 'u-1', now)).toContain(why);
  });

  it('accepts either authority of a bundle', async () => {
    const good = await authority.issueFor(of('egress'));
    expect(unusable({ ...good, ca: (await createAuthority()).ca + good.ca }, 'u-1', now)).toBeNull();
  });

  it('is renewed at two thirds, or up to a tenth earlier', () => {
    const validity = { identity: null, notBefore: new Date(0), notAfter: new Date(30 * HOUR) };
    expect(renewalTime(validity, 0)).toEqual(new Date(20 * HOUR));
    expect(renewalTime(validity, 1)).toEqual(new Date(17 * HOUR));
  });
});

describe('ensureIdentity', () => {
  /** Time that is set by the test; callbacks run when the test lets them. */
  let now: Date;
  let timers: { ms: number; callback: () => void }[];
  let fails: boolean;
  let obtained: number;
  let readiness: Readiness;
  let identities: PodIdentity[];
  beforeEach(() => {
    now = new Date();
    timers = [];
    fails = false;
    obtained = 0;
    readiness = new Readiness();
    identities = [];
    closing.push(() => identities.map((identity) => identity.stop()));
  });
  const options = (more: IdentityOptions = {}): IdentityOptions => ({
    readiness,
    now: () => now,
    random: () => 0,
    after: (ms, callback) => {
      const timer = { ms, callback };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
    obtain: async () => {
      obtained += 1;
      if (fails) throw new Error('the operator is away');
      return authority.issueFor(of('egress'), { now });
    },
    ...more,
  });
  const url = 'https://operator/v1/identity';
  async function start(more: IdentityOptions = {}): Promise<PodIdentity> {
    const identity = await ensureIdentity(settings(url), options(more));
    identities.push(identity);
    return identity;
  }
  /** Runs the next timer and waits until it has set another. */
  async function tick(): Promise<number> {
    await untilTimer();
    const timer = timers.shift();
    timer?.callback();
    await untilTimer();
    return timer?.ms ?? Number.NaN;
  }
  async function untilTimer(): Promise<void> {
    while (timers.length === 0) await new Promise((resolve) => setImmediate(resolve));
  }

  it('uses the folder as it is without an identity service', async () => {
    const given = await authority.issueFor(of('egress', 'whoever'));
    await writeCredentials(folder, given);
    expect((await ensureIdentity(settings(), options())).credentials).toEqual(given);
    expect(obtained).toBe(0);
  });

  it('says so when there is neither', async () => {
    await expect(ensureIdentity(settings(), options())).rejects.toThrow(/tls\.(crt|key)/);
  });

  it('waits for the operator with growing patience, not ready meanwhile', async () => {
    fails = true;
    const starting = start();
    expect(await tick()).toBe(500);
    expect(await tick()).toBe(1000);
    expect(readiness.obstacles).toEqual(['identity: no certificate yet']);
    fails = false;
    timers.shift()?.callback();
    const identity = await starting;
    expect(readiness.obstacles).toEqual([]);
    expect(await readCredentials(join(folder, 'own'))).toEqual(identity.credentials);
  });

  it('reuses a valid certificate of the same pod after a container restart', async () => {
    const first = await start();
    const second = await start();
    expect(second.credentials).toEqual(first.credentials);
    expect(obtained).toBe(1);
  });

  it.each<[string, () => Promise<unknown>]>([
    [
      'another pod',
      async () => writeCredentials(join(folder, 'own'), await authority.issueFor(of('egress', 'other'))),
    ],
    ['half a file', () => writeCredentials(join(folder, 'own'), { cert: '-----BEGIN', key: '', ca: '' })],
  ])('does not reuse what is of %s', async (_, prepare) => {
    await prepare();
    await start();
    expect(obtained).toBe(1);
  });

  it('renews at two thirds of its life and tells so', async () => {
    const told: Credentials[] = [];
    const identity = await start({ onRenewed: (credentials) => told.push(credentials) });
    const before = identity.credentials;
    now = new Date(+now + 13 * HOUR);
    await tick();
    expect(obtained).toBe(1);
    now = new Date(+now + 1.5 * HOUR);
    await tick();
    expect(identity.credentials.cert).not.toBe(before.cert);
    expect(told).toEqual([identity.credentials]);
  });

  it('goes on with a valid certificate while the operator is away, and says when it has expired', async () => {
    const identity = await start();
    const before = identity.credentials;
    fails = true;
    now = new Date(+now + 17 * HOUR);
    await tick();
    await tick();
    expect(obtained).toBe(3);
    expect(readiness.obstacles).toEqual([]);
    expect(identity.credentials).toBe(before);
    now = new Date(+now + 8 * HOUR);
    await tick();
    expect(readiness.obstacles).toEqual(['identity: the certificate has expired and could not be renewed']);
    fails = false;
    await tick();
    expect(readiness.obstacles).toEqual([]);
  });

  it('does not take a certificate that is not its own', async () => {
    const wrong = async () => authority.issueFor(of('egress', 'somebody else'), { now });
    void start({ obtain: wrong });
    await tick();
    expect(readiness.obstacles).toEqual(['identity: no certificate yet']);
  });

  describe('over HTTPS', () => {
    async function operator(role: Role, status: number): Promise<{ url: string; requests: string[] }> {
      const requests: string[] = [];
      const served = await authority.issueFor(of(role, 'op'));
      const server: Server = createServer(
        { cert: served.cert, key: served.key },
        async (request, response) => {
          let csr = '';
          for await (const chunk of request) csr += chunk;
          requests.push(`${request.method} ${request.url} ${request.headers.authorization}`);
          response
            .writeHead(status)
            .end(
              status === 200
                ? await authority.issue(csr, of('egress'), 60, new Date())
                : '{"title":"TokenRefused"}',
            );
        },
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      closing.push(() => new Promise((resolve) => server.close(resolve)));
      return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/v1/identity`, requests };
    }
    beforeEach(async () => {
      await writeFile(join(folder, 'token'), 'projected-token\n');
      await writeFile(join(folder, 'ca.crt'), authority.ca);
    });

    it('has a certificate made for its token', async () => {
      const { url, requests } = await operator('operator', 200);
      const identity = await ensureIdentity(settings(url), { readiness });
      identities.push(identity);
      expect(requests).toEqual(['POST /v1/identity Bearer projected-token']);
      expect(unusable(identity.credentials, 'u-1', new Date())).toBeNull();
      expect(identity.credentials.ca).toBe(await readFile(join(folder, 'ca.crt'), 'utf8'));
    });

    it.each<[string, Role, number, RegExp]>([
      ['a refusal', 'operator', 401, /401.*TokenRefused/],
      ['a server that is not the operator', 'ingress', 200, /expected role operator, but ingress/],
    ])('reports %s', async (_, role, status, message) => {
      const { url, requests } = await operator(role, status);
      const asked = { url, tokenFile: join(folder, 'token'), caFile: join(folder, 'ca.crt') };
      await expect(obtainCredentials(asked)).rejects.toThrow(message);
      expect(requests).toHaveLength(role === 'operator' ? 1 : 0); // the token is not shown to anybody else
    });
  });
});
