// SMTP submission (RFC 6409, RFC 8314): 587 with STARTTLS before AUTH, 465 with TLS from the start.
import type {
  SMTPServerAddress,
  SMTPServerDataStream,
  SMTPServerOptions,
  SMTPServerSession,
} from 'smtp-server';
import type { Log } from '../../process/log.ts';
import { type Address, parseAddress } from '../message/addresses.ts';
import type { Accepted, Submission } from './accept.ts';
import type { Access } from './access.ts';
import type { Failures } from './failures.ts';
import type { InFlight } from './in_flight.ts';
import { authFailures, recipients } from './metrics.ts';
import { OutcomeUnknown, Refused } from './refusal.ts';
import { SubmissionServer } from './smtp_connection.ts';
import type { Suppressions } from './suppressions.ts';

export const MAX_RECIPIENTS = 1000;
const MAX_CLIENTS = 2000;
const IDLE_MS = 300_000;
const FAILURES_PER_SESSION = 3;
const PARAMETERS = new Set(['SIZE', 'BODY', 'SMTPUTF8', 'AUTH']);

export interface SmtpParts {
  readonly hostname: string;
  readonly tls: { readonly key: Buffer; readonly cert: Buffer };
  readonly maxBytes: number;
  readonly access: Access;
  readonly failures: Failures;
  readonly suppressions: Suppressions;
  readonly inFlight: InFlight;
  /** Why no message may be taken now, or null. */
  readonly obstacle: () => string | null;
  readonly accept: (submission: Submission) => Promise<Accepted>;
  readonly log: Log;
}

interface User {
  readonly account: string;
}
/** What PLAIN and LOGIN give; no other method is offered. */
interface Login {
  readonly username?: string;
  readonly password?: string;
}
type Done = (error?: Error | null) => void;

/** Makes the server; `secure` is TLS from the start. */
export function createSubmissionServer(parts: SmtpParts, secure: boolean): SubmissionServer {
  const server = new SubmissionServer({ ...limits(parts, secure), ...handlers(parts, () => server) });
  server.on('error', (error) => parts.log.debug({ error: error.message }, 'SMTP session'));
  return server;
}

const limits = (parts: SmtpParts, secure: boolean): SMTPServerOptions => ({
  ...parts.tls,
  minVersion: 'TLSv1.2',
  secure,
  name: parts.hostname,
  banner: 'Postfleet',
  heloResponse: '%s',
  logger: false,
  authMethods: ['PLAIN', 'LOGIN'],
  hideENHANCEDSTATUSCODES: false,
  size: parts.maxBytes,
  rejectOversized: true,
  maxRecipients: MAX_RECIPIENTS,
  maxClients: MAX_CLIENTS,
  // An address of 256 octets, parameters, and AUTH's 12,288 (RFC 4954 §4).
  maxCommandLength: 12_544,
  socketTimeout: IDLE_MS,
  closeTimeout: 75_000,
  disableReverseLookup: true,
  disabledCommands: ['WIZ', 'SHELL', 'KILL', 'HELP', 'XCLIENT', 'XFORWARD'],
});

function handlers(parts: SmtpParts, server: () => SubmissionServer): SMTPServerOptions {
  const answered = (work: Promise<void>, session: SMTPServerSession, done: Done) =>
    work.then(
      () => done(null),
      (error: unknown) => done(replyError(error, session, parts.log)),
    );
  return {
    onConnect: (session, done) => answered(connected(parts, session), session, done),
    onAuth(auth, session, done) {
      authenticated(parts, auth as Login, session).then(
        (user) => done(null, { user }),
        (error: unknown) => done(replyError(error, session, parts.log)),
      );
    },
    onMailFrom: (address, session, done) => answered(mailFrom(parts, address, session), session, done),
    onRcptTo: (address, session, done) => answered(rcptTo(parts, address, session), session, done),
    onData(stream, session, done) {
      received(parts, stream, session).then(
        ({ id }) => done(null, `accepted as ${id}`),
        (error: unknown) => {
          // 4xx would promise that nothing is stored, 250 that it is.
          if (error instanceof OutcomeUnknown) server().abort(session);
          else done(replyError(error, session, parts.log));
        },
      );
    },
  };
}

/** What smtp-server replies: `responseCode` and the message. A defect of ours is a 451. */
function replyError(error: unknown, session: SMTPServerSession, log: Log): Error {
  const refused =
    error instanceof Refused
      ? error
      : new Refused('unavailable', 'internal error, try again later', { cause: error });
  if (refused !== error) log.error({ session: session.id, error }, 'SMTP command failed');
  return Object.assign(new Error(refused.reply), { responseCode: refused.responseCode });
}

async function connected({ failures }: SmtpParts, { remoteAddress }: SMTPServerSession): Promise<void> {
  if (failures.blocked(remoteAddress))
    throw new Refused('tooManyFailures', 'too many failed authentications, try again later');
}

const failed = new WeakMap<SMTPServerSession, number>();

async function authenticated(
  { access, failures }: SmtpParts,
  auth: Login,
  session: SMTPServerSession,
): Promise<User> {
  if (failures.blocked(session.remoteAddress))
    throw new Refused('tooManyFailures', 'too many failed authentications');
  try {
    return await access.login(auth.username ?? '', auth.password ?? '');
  } catch (error) {
    if (error instanceof Refused && error.reason === 'credentials') {
      failures.note(session.remoteAddress);
      authFailures.inc({ protocol: 'smtp' });
      const count = (failed.get(session) ?? 0) + 1;
      failed.set(session, count);
      // 421 closes the connection as well.
      if (count >= FAILURES_PER_SESSION)
        throw new Refused('tooManyFailures', 'too many failed authentications');
    }
    throw error;
  }
}

async function mailFrom(
  parts: SmtpParts,
  address: SMTPServerAddress,
  session: SMTPServerSession,
): Promise<void> {
  if (parts.obstacle() !== null)
    throw new Refused('unavailable', 'the queue is not available, try again later');
  parts.inFlight.refuseWhenFull();
  const unknown = Object.keys(address.args || {}).find((key) => !PARAMETERS.has(key));
  if (unknown) throw new Refused('unknownParameter', `the parameter ${unknown} is not known`);
  if (address.address !== '') checked(address, session, 'badSender');
}

async function rcptTo(
  parts: SmtpParts,
  address: SMTPServerAddress,
  session: SMTPServerSession,
): Promise<void> {
  const unknown = Object.keys(address.args || {})[0];
  if (unknown) throw new Refused('unknownParameter', `the parameter ${unknown} is not known`);
  const { text } = checked(address, session, 'badRecipient');
  const { account } = userOf(session);
  const suppressed = await parts.suppressions.check(account, [text]);
  if (!suppressed?.size) return;
  recipients.inc({ result: 'refused', pool: '' });
  throw new Refused('suppressed', `<${text}> is on the suppression list of account ${account}`);
}

/** Parses the address and leaves it in its canonical form for the envelope. */
function checked(
  given: SMTPServerAddress,
  session: SMTPServerSession,
  reason: 'badSender' | 'badRecipient',
): Address {
  const parsed = parseAddress(given.address);
  if (!parsed.ok) throw new Refused(reason, parsed.message);
  if (parsed.address.needsUtf8 && !session.envelope.smtpUtf8)
    throw new Refused('needsSmtpUtf8', 'an address beyond ASCII needs the parameter SMTPUTF8');
  given.address = parsed.address.text;
  return parsed.address;
}

function userOf(session: SMTPServerSession): User {
  return session.user as unknown as User;
}

async function received(
  parts: SmtpParts,
  stream: SMTPServerDataStream,
  session: SMTPServerSession,
): Promise<Accepted> {
  const { envelope } = session;
  const content = await readMessage(parts, stream);
  try {
    return await parts.accept({
      account: userOf(session).account,
      from: senderOf(envelope.mailFrom),
      recipients: envelope.rcptTo.map(({ address }) => parsedAgain(address)),
      content,
      idempotencyKey: null,
      priorityClass: null,
      engaged: null,
      client: {
        helo: session.hostNameAppearsAs,
        address: session.remoteAddress,
        protocol: envelope.smtpUtf8 ? 'UTF8SMTPSA' : 'ESMTPSA',
      },
    });
  } finally {
    parts.inFlight.release(content.length);
  }
}

const senderOf = (given: SMTPServerAddress | false): Address | null =>
  given === false || given.address === '' ? null : parsedAgain(given.address);

/** Its canonical form parses: `checked` made it. */
function parsedAgain(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Refused('badRecipient', parsed.message);
  return parsed.address;
}

/** The message as it came, dots unstuffed; its octets are counted in flight. Of one too large the rest is let go. */
function readMessage({ inFlight, maxBytes }: SmtpParts, stream: SMTPServerDataStream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on('data', (chunk: Buffer) => {
      if (stream.sizeExceeded) return;
      chunks.push(chunk);
      size += chunk.length;
      inFlight.hold(chunk.length);
    });
    const give = (error: Error) => {
      inFlight.release(size);
      chunks.length = 0;
      reject(error);
    };
    stream.once('error', (cause) => give(new Refused('unavailable', 'the client went away', { cause })));
    stream.once('end', () => {
      if (stream.sizeExceeded) give(new Refused('tooLarge', `a message may have ${maxBytes} octets`));
      else resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size));
    });
  });
}
