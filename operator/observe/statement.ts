// Asks a delivery pod for its statement, over mutual TLS. Whatever goes wrong gives "unknown" with a reason, never an
// empty statement: who answers must be the pod with this UID, by its certificate.
import { readFile } from 'node:fs/promises';
import { type RequestOptions, request } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { z } from 'zod';
import type { Statement } from '../../mta/bus/snapshot.ts';
import { roleDnsName } from '../../process/identity/name.ts';
import { peerIdentity } from '../../process/identity/peer.ts';
import type { PodView, Reading } from './world.ts';

export type AskStatement = (pod: PodView) => Promise<Reading>;

const TIMEOUT_MS = 2000;
const LONGEST_BYTES = 256 * 1024;

const count = z.number().min(0);
const statementSchema = z.object({
  version: z.literal(1),
  pod: z.string(),
  uid: z.string(),
  process: z.string().max(128).optional(),
  pool: z.string(),
  assignmentRevision: count,
  cordoned: z.boolean(),
  held: z.array(z.object({ shard: count, epoch: count, unacknowledged: count })),
  unacknowledged: count,
  inFlight: count,
  spool: z.object({
    id: z.string().max(64).optional(),
    entries: count,
    bytes: count,
    freeBytes: count,
    oldestAcceptedAt: count.nullable(),
    writable: z.boolean(),
    unreadable: count.optional(),
  }),
  handedOver: count,
  eventsUnsent: count,
  results: z.object({ delivered: count, deferred: count, bounced: count }).optional(),
  work: z
    .object({
      ready: count.nullable(),
      limited: count.nullable(),
      waiting: count.nullable(),
      perSecond: count,
    })
    .optional(),
});

const unknown = (reason: Extract<Reading, { kind: 'unknown' }>['reason'], message: string): Reading => ({
  kind: 'unknown',
  reason,
  message,
});

/** @param identityDir folder with the operator's tls.crt, tls.key and ca.crt; read each time, as they are renewed. */
export function statementAsker(identityDir: string, port: number): AskStatement {
  return async (pod) => {
    if (!pod.ip) return unknown('Unreachable', `${pod.name} has no address yet`);
    try {
      const { body, peer } = await fetchStatement(pod.ip, port, identityDir);
      if (peer?.role !== 'delivery' || peer.uid !== pod.uid)
        return unknown(
          'WrongUid',
          `${pod.ip} answered as ${peer?.role} ${peer?.uid}, not as ${pod.name} (${pod.uid})`,
        );
      return readStatement(body, pod);
    } catch (error) {
      return unknown('Unreachable', `${pod.name} does not answer: ${(error as Error).message}`);
    }
  };
}

/** Reads the body of an answer. A number that is missing or negative makes the whole statement unknown. */
export function readStatement(body: string, pod: Pick<PodView, 'name' | 'uid'>): Reading {
  const parsed = statementSchema.safeParse(tryJson(body));
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => issue.path.join('.') || 'everything');
    return unknown('NumberMissing', `the statement of ${pod.name} lacks ${fields.join(', ')}`);
  }
  const statement: Statement = parsed.data;
  return statement.uid === pod.uid && statement.pod === pod.name
    ? { kind: 'statement', statement }
    : unknown('WrongUid', `${pod.name} (${pod.uid}) states to be ${statement.pod} (${statement.uid})`);
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function fetchStatement(host: string, port: number, identityDir: string) {
  const [cert, key, ca] = await Promise.all(
    ['tls.crt', 'tls.key', 'ca.crt'].map((name) => readFile(join(identityDir, name))),
  );
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const options: RequestOptions = {
    host,
    port,
    path: '/v1/statement',
    servername: roleDnsName('delivery'),
    cert,
    key,
    ca,
    agent: false,
    signal,
  };
  return exchange(options);
}

function exchange(options: RequestOptions) {
  return new Promise<{ body: string; peer: ReturnType<typeof peerIdentity> }>((resolve, reject) => {
    const call = request(options, async (answer) => {
      try {
        const peer = peerIdentity(answer.socket as TLSSocket);
        let body = '';
        for await (const chunk of answer.setEncoding('utf8')) {
          body += chunk;
          if (body.length > LONGEST_BYTES) throw new Error('the answer is too long');
        }
        if (answer.statusCode !== 200) throw new Error(`HTTP ${answer.statusCode}`);
        resolve({ body, peer });
      } catch (error) {
        call.destroy();
        reject(error);
      }
    });
    call.on('error', reject).end();
  });
}
