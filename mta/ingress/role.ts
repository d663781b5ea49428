// The role put together: both doors, the pipeline, the bounces; and how it ends.
import { once } from 'node:events';
import type { FastifyInstance } from 'fastify';
import type { Database } from '../../gateway/db.ts';
import { findKey } from '../../gateway/keys.ts';
import { suppressed } from '../../gateway/suppression.ts';
import type { Log } from '../../process/log.ts';
import type { Bus } from '../bus/client.ts';
import { type AcceptParts, accept, type Submission } from './accept.ts';
import { Access } from './access.ts';
import { BounceMaker } from './bounces.ts';
import { Failures } from './failures.ts';
import { Fleet } from './fleet.ts';
import { createHttpServer } from './http.ts';
import { InFlight } from './in_flight.ts';
import { observeSessions } from './metrics.ts';
import { SigningKeys } from './signing_keys.ts';
import { createSubmissionServer } from './smtp.ts';
import type { SubmissionServer } from './smtp_connection.ts';
import { Suppressions } from './suppressions.ts';
import { readTlsFiles, watchTlsFiles } from './tls_files.ts';

const IN_FLIGHT_BYTES = 192 * 1024 * 1024;
const SWEEP_MS = 100;
/** Before the first connection to NATS the server's limit is not known. */
const DEFAULT_MAX_PAYLOAD = 8 * 1024 * 1024;

export interface IngressParts {
  readonly hostname: string;
  readonly tlsDir: string;
  readonly maxBytes: number;
  readonly horizonMs: number;
  readonly sealingKey: Uint8Array;
  readonly ports: { readonly submission: number; readonly submissions: number; readonly http: number };
  readonly address?: string;
  readonly database: Database;
  /** Resolves at the first connection. */
  readonly bus: Promise<Bus>;
  readonly log: Log;
  readonly now?: () => number;
}

export interface Ingress {
  readonly ports: { readonly submission: number; readonly submissions: number; readonly http: number };
  /** Takes nothing new, answers what is under way, and ends within `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** Starts the role; it listens when this resolves, and says 451 / 503 until NATS is there. */
export async function startIngress(parts: IngressParts): Promise<Ingress> {
  const { database, log } = parts;
  const late = lateBus(parts.bus);
  const fleet = new Fleet(async (bucket) => (await late.present()).kv(bucket), log);
  const pipeline: AcceptParts = {
    fleet,
    keys: new SigningKeys(parts.sealingKey),
    publish: late.publish,
    hostname: parts.hostname,
    horizonMs: parts.horizonMs,
    now: parts.now ?? Date.now,
  };
  const door = {
    hostname: parts.hostname,
    tls: readTlsFiles(parts.tlsDir),
    maxBytes: parts.maxBytes,
    access: new Access((id) => findKey(database, id)),
    failures: new Failures(),
    suppressions: new Suppressions((pairs) => suppressed(database, pairs), log),
    inFlight: new InFlight(IN_FLIGHT_BYTES),
    obstacle: late.publish.obstacle,
    accept: (submission: Submission) => accept(pipeline, submission),
    log,
  };
  const smtp = [createSubmissionServer(door, false), createSubmissionServer(door, true)] as const;
  const http = createHttpServer(door);
  const maker = new BounceMaker(pipeline, log);
  void parts.bus.then((bus) => Promise.all([fleet.watch(), maker.run(bus)]));
  const stopWatching = watchTlsFiles(
    parts.tlsDir,
    (files) => {
      for (const server of smtp) server.updateSecureContext({ ...files });
      (http.server as unknown as { setSecureContext(files: object): void }).setSecureContext(files);
    },
    (error) => log.error({ error: error.message }, 'the new certificate cannot be used; the old one stays'),
  );
  observeSessions('smtp', () => smtp.reduce((sum, { connections }) => sum + connections.size, 0));
  const ports = await listen(parts, smtp, http);
  return {
    ports,
    async stop(graceMs) {
      stopWatching();
      const deadline = performance.now() + graceMs;
      await Promise.all([...smtp.map((server) => closeSmtp(server, deadline)), http.close(), maker.stop()]);
      fleet.stop();
    },
  };
}

/** JetStream before and after the first connection. */
function lateBus(promise: Promise<Bus>) {
  let bus: Bus | null = null;
  void promise.then((connected) => {
    bus = connected;
  });
  const publish: AcceptParts['publish'] = {
    publish: async (subject, data, options) => (await promise).js.publish(subject, data, options),
    obstacle: () => (bus ? bus.obstacle() : 'not connected'),
    maxPayload: () => bus?.nc.info?.max_payload ?? DEFAULT_MAX_PAYLOAD,
  };
  const present = async (): Promise<Bus> => {
    if (!bus) throw new Error('NATS is not connected');
    return bus;
  };
  return { publish, present };
}

async function listen(
  { ports, address = '::' }: IngressParts,
  [submission, submissions]: readonly [SubmissionServer, SubmissionServer],
  http: FastifyInstance,
): Promise<Ingress['ports']> {
  const start = async (server: SubmissionServer, port: number): Promise<number> => {
    await once(server.listen(port, address), 'listening');
    return (server.server.address() as { port: number }).port;
  };
  const [first, second] = await Promise.all([
    start(submission, ports.submission),
    start(submissions, ports.submissions),
  ]);
  await http.listen({ port: ports.http, host: address });
  return { submission: first, submissions: second, http: (http.server.address() as { port: number }).port };
}

/** Idle sessions are told at once, the others after their message is answered. */
async function closeSmtp(server: SubmissionServer, deadline: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(resolve));
  const sweep = setInterval(() => {
    server.endIdle();
    if (performance.now() > deadline) for (const { session } of server.connections) server.abort(session);
  }, SWEEP_MS);
  await closed;
  clearInterval(sweep);
}
