// For the integration tests: the role in this process, against a real nats-server and a real PostgreSQL.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kvm } from '@nats-io/kv';
import { type Nats, type Postgres, startNats, startPostgres, until } from '../../e2e/rig/servers.ts';
import { snapshots } from '../../e2e/rig/snapshots.ts';
import { createAccount } from '../../gateway/accounts.ts';
import { type Database, openDatabase } from '../../gateway/db.ts';
import { createKey } from '../../gateway/keys.ts';
import { migrate } from '../../gateway/migrate.ts';
import { log } from '../../process/log.ts';
import { type Bus, connectBus } from '../bus/client.ts';
import {
  BOUNCE_CONSUMER,
  BOUNCE_STREAM,
  domainSnapshotKey,
  FLEET_BUCKET,
  mailStream,
  mailSubjects,
  poolKey,
} from '../bus/names.ts';
import { decodeParcel, type Parcel } from '../message/parcel.ts';
import { type Ingress, startIngress } from './role.ts';

export const POOL = poolKey('test/main');
export const SHARDS = 2;
const MAX_BYTES = 500_000;

export interface Testbed {
  readonly nats: Nats;
  readonly postgres: Postgres;
  readonly database: Database;
  readonly bus: Bus;
  readonly ingress: Ingress;
  readonly token: string;
  readonly keyId: string;
  /** Every parcel in the pool's streams, in order, decoded. */
  parcels(): Promise<Parcel[]>;
  /** Removes all parcels. */
  empty(): Promise<void>;
  /** Writes the domain's snapshot with changes. */
  putDomain(domain: string, change: object): Promise<void>;
  /** What mailauth asks for keys. */
  readonly resolver: (name: string, type: string) => Promise<string[][]>;
  stop(): Promise<void>;
}

export async function startTestbed(options: { horizonMs?: number } = {}): Promise<Testbed> {
  const folder = mkdtempSync(join(tmpdir(), 'postfleet-ingress-'));
  certificate(folder);
  const [nats, postgres] = await Promise.all([startNats(), startPostgres()]);
  const database = openDatabase(postgres.url, { name: 'test' });
  await migrate(database);
  await createAccount(database, 'acme');
  await createAccount(database, 'other');
  const { token, id: keyId } = await createKey(database, 'acme', 'test');
  const settings = {
    POSTFLEET_NATS_URL: [nats.env.POSTFLEET_NATS_URL],
    POSTFLEET_NATS_REPLICAS: 1,
    POSTFLEET_NATS_MONITOR_URL: nats.env.POSTFLEET_NATS_MONITOR_URL,
    POSTFLEET_IDENTITY_DIR: folder,
  };
  const bus = await connectBus(settings, 'ingress');
  await until('NATS proven', () => bus.obstacle() === null);
  const sealingKey = randomBytes(32);
  const plan = { domain: 'send.example', shards: SHARDS, addresses: [], dkim: ['RSA', 'Ed25519'] as const };
  const compiled = snapshots('test', plan, sealingKey);
  await makeAssets(bus);
  const kv = await bus.kv(FLEET_BUCKET);
  const put = (key: string, value: object) => kv.put(key, JSON.stringify(value));
  await put(compiled.pool.key, compiled.pool.value);
  const putDomain = async (domain: string, change: object) => {
    await put(domainSnapshotKey(domain), { ...compiled.domain.value, domain, ...change });
  };
  await putDomain('send.example', {});
  const ingress = await startIngress({
    hostname: 'mx.ingress.example',
    tlsDir: folder,
    maxBytes: MAX_BYTES,
    horizonMs: options.horizonMs ?? 3000,
    sealingKey,
    ports: { submission: 0, submissions: 0, http: 0 },
    address: '127.0.0.1',
    database,
    bus: Promise.resolve(bus),
    log,
  });
  const streams = Array.from({ length: SHARDS }, (_, shard) => mailStream(POOL, shard));
  return {
    nats,
    postgres,
    database,
    bus,
    ingress,
    token,
    keyId,
    putDomain,
    parcels: async () => (await Promise.all(streams.map((stream) => parcelsOf(bus, stream)))).flat(),
    async empty() {
      const manager = await bus.manager();
      await Promise.all(streams.map((stream) => manager.streams.purge(stream)));
    },
    async resolver(name, type) {
      const record = compiled.dkimRecords.find((one) => one.name.replace(/\.$/, '') === name);
      if (!record || type !== 'TXT') throw Object.assign(new Error('none'), { code: 'ENOTFOUND' });
      return [[record.value]];
    },
    async stop() {
      await ingress.stop(2000);
      await bus.close();
      await database.end();
      await Promise.all([nats.stop(), postgres.remove()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function makeAssets(bus: Bus): Promise<void> {
  const manager = await bus.manager();
  for (let shard = 0; shard < SHARDS; shard++) {
    await manager.streams.add({
      name: mailStream(POOL, shard),
      subjects: [mailSubjects(POOL, shard)],
      retention: 'workqueue',
      discard: 'new',
      max_bytes: 2_000_000,
      duplicate_window: 120e9,
    });
  }
  await manager.streams.add({ name: BOUNCE_STREAM, subjects: ['bounce.>'], retention: 'workqueue' });
  await manager.consumers.add(BOUNCE_STREAM, { durable_name: BOUNCE_CONSUMER, ack_policy: 'explicit' });
  await new Kvm(bus.js).create(FLEET_BUCKET);
}

async function parcelsOf(bus: Bus, stream: string): Promise<Parcel[]> {
  const manager = await bus.manager();
  const { state } = await manager.streams.info(stream);
  const parcels: Parcel[] = [];
  // An empty stream of a restarted server says that it goes from 0 to 0, and there is no message 0.
  for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq++) {
    const message = await manager.streams.getMessage(stream, { seq });
    if (message) parcels.push(decodeParcel(message.data));
  }
  return parcels;
}

/** A self-signed certificate for clients of the test. */
function certificate(folder: string): void {
  const out = ['-keyout', join(folder, 'tls.key'), '-out', join(folder, 'tls.crt')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...kind, ...out, '-subj', '/CN=mx.ingress.example'], {
    stdio: 'pipe',
  });
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  // biome-ignore lint/suspicious/noExplicitAny: what a test expects of it is the test.
  readonly json: any;
}

const agent = new Agent({ rejectUnauthorized: false, keepAlive: false });

/** One HTTPS request to the ingress under test. */
export function http(
  port: number,
  body: string | Buffer,
  headers: Readonly<Record<string, string>>,
  [method, path]: readonly [string, string] = ['POST', '/v1/messages'],
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, method, path, agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          json: text ? JSON.parse(text) : null,
        });
      });
    });
    call.once('error', reject);
    call.end(body);
  });
}
