// The HTTP API: POST /v1/messages (docs/http-api.md).
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Log } from '../../process/log.ts';
import type { Address } from '../message/addresses.ts';
import type { Accepted, Submission } from './accept.ts';
import type { Access, Caller } from './access.ts';
import type { Failures } from './failures.ts';
import { type Enveloped, envelopeOfJson, envelopeOfText } from './http_envelope.ts';
import type { InFlight } from './in_flight.ts';
import { authFailures, recipients } from './metrics.ts';
import {
  internalProblem,
  methodProblem,
  notFoundProblem,
  type Problem,
  problemOf,
  RETRY_AFTER,
} from './problem.ts';
import { asRefusal, OutcomeUnknown, Refused } from './refusal.ts';
import type { Suppressions } from './suppressions.ts';
import { fingerprint, UsedKeys } from './used_keys.ts';

const MAX_RECIPIENTS = 1000;
const MAX_KEY = 255;

export interface HttpParts {
  readonly tls: { readonly key: Buffer; readonly cert: Buffer };
  readonly maxBytes: number;
  readonly access: Access;
  readonly failures: Failures;
  readonly suppressions: Suppressions;
  readonly inFlight: InFlight;
  readonly obstacle: () => string | null;
  readonly accept: (submission: Submission) => Promise<Accepted>;
  readonly log: Log;
}

interface RefusedRecipient {
  readonly address: string;
  readonly reason: string;
  readonly status: string;
}

/** Makes the server, not listening yet. */
export function createHttpServer(parts: HttpParts): FastifyInstance {
  const app = fastify({
    https: { ...parts.tls, minVersion: 'TLSv1.2' },
    // Attachments are base64 in JSON: a third more, and then the text around them.
    bodyLimit: Math.ceil(parts.maxBytes * 1.4) + 65_536,
    requestTimeout: 120_000,
    forceCloseConnections: 'idle',
  }) as unknown as FastifyInstance;
  const used = new UsedKeys();
  const callers = new WeakMap<FastifyRequest, Caller>();
  app.addContentTypeParser('message/rfc822', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
  app.setErrorHandler((error, request, reply) => answerProblem(parts.log, error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, request.url.split('?')[0] === '/v1/messages' ? methodProblem() : notFoundProblem()),
  );
  app.post(
    '/v1/messages',
    {
      // Before the body is read: who may not send does not get to fill memory.
      onRequest: async (request) => {
        callers.set(request, await authenticate(parts, request));
        if (parts.obstacle() !== null)
          throw new Refused('unavailable', 'the queue is not available, try again later');
        parts.inFlight.refuseWhenFull();
      },
    },
    async (request, reply) => {
      const result = await submit(parts, used, request, callers.get(request) as Caller);
      return reply.code(202).send(result);
    },
  );
  return app;
}

async function authenticate({ access, failures }: HttpParts, request: FastifyRequest): Promise<Caller> {
  if (failures.blocked(request.ip)) throw new Refused('tooManyFailures', 'too many failed authentications');
  const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  try {
    if (!token) throw new Refused('credentials', 'give the key as "Authorization: Bearer <key>"');
    return await access.authenticate(token);
  } catch (error) {
    if (error instanceof Refused && error.reason === 'credentials') {
      failures.note(request.ip);
      authFailures.inc({ protocol: 'http' });
    }
    throw error;
  }
}

async function submit(parts: HttpParts, used: UsedKeys, request: FastifyRequest, { account }: Caller) {
  const idempotencyKey = keyOf(request);
  const what = idempotencyKey === null ? '' : whatOf(request);
  if (idempotencyKey !== null) used.check(account, idempotencyKey, what);
  const enveloped = read(request);
  const { accepted, refused } = await judged(parts, account, enveloped, idempotencyKey !== null);
  if (accepted.length === 0) throw noneLeft(refused);
  const content = await enveloped.content();
  if (content.length > parts.maxBytes)
    throw new Refused('tooLarge', `a message may have ${parts.maxBytes} octets`);
  parts.inFlight.hold(content.length);
  try {
    const { id } = await parts.accept({
      account,
      from: enveloped.from,
      recipients: accepted,
      content,
      idempotencyKey,
      priorityClass: enveloped.priorityClass,
      engaged: enveloped.engaged,
      client: { helo: 'http', address: request.ip, protocol: 'HTTPS' },
    });
    if (idempotencyKey !== null) used.keep(account, idempotencyKey, what);
    return { id, accepted: accepted.map(({ text }) => text), refused };
  } catch (error) {
    // It may be stored: a repeat must be of the same.
    if (idempotencyKey !== null && error instanceof OutcomeUnknown) used.keep(account, idempotencyKey, what);
    throw error;
  } finally {
    parts.inFlight.release(content.length);
  }
}

function whatOf({ body, headers }: FastifyRequest): string {
  const envelope = ['content-type', 'postfleet-from', 'postfleet-to', 'postfleet-class', 'postfleet-engaged'];
  return fingerprint(
    body,
    envelope.map((name) => headers[name] ?? null),
  );
}

function keyOf(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key !== 'string' || key === '' || key.length > MAX_KEY)
    throw new Refused('badRequest', `Idempotency-Key must have 1 to ${MAX_KEY} characters`);
  return key;
}

function read(request: FastifyRequest): Enveloped {
  try {
    return Buffer.isBuffer(request.body)
      ? envelopeOfText(request.body, request.headers)
      : envelopeOfJson(request.body);
  } catch (error) {
    throw asRefusal(error);
  }
}

/** Which recipients are taken. @throws Refused when there are too many, or an exact repeat could not be promised. */
async function judged(
  parts: HttpParts,
  account: string,
  { recipients: given, faults }: Enveloped,
  keyed: boolean,
) {
  if (given.length + faults.length > MAX_RECIPIENTS)
    throw new Refused('tooManyRecipients', `a message may have ${MAX_RECIPIENTS} recipients`);
  const unique = [...new Map(given.map((address) => [address.text.toLowerCase(), address])).values()];
  const suppressed = await parts.suppressions.check(
    account,
    unique.map(({ text }) => text),
  );
  if (suppressed === null && keyed)
    throw new Refused(
      'unavailable',
      'a request with an Idempotency-Key cannot be checked now, try again later',
    );
  const isSuppressed = ({ text }: Address) => suppressed?.has(text) ?? false;
  const refused: RefusedRecipient[] = [
    ...faults.map(({ address, detail }) => ({ address, reason: detail, status: '5.1.3' })),
    ...unique.filter(isSuppressed).map(({ text }) => ({
      address: text,
      reason: `on the suppression list of account ${account}`,
      status: '5.7.1',
    })),
  ];
  recipients.inc({ result: 'refused', pool: '' }, refused.length);
  return { accepted: unique.filter((address) => !isSuppressed(address)), refused };
}

const noneLeft = (refused: readonly RefusedRecipient[]): Refused =>
  refused.length
    ? new Refused('noRecipients', 'every recipient is refused', { details: refused })
    : new Refused('noRecipients', 'the message has no recipient');

function answerProblem(log: Log, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error);
  if (problem === null) log.error({ error, request: request.id }, 'HTTP request failed');
  return sendProblem(reply, problem ?? internalProblem());
}

function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const retryAfter = RETRY_AFTER[problem.status];
  if (retryAfter) reply.header('retry-after', retryAfter);
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
  if (problem.status === 405) reply.header('allow', 'POST');
  return reply
    .code(problem.status)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(problem);
}
