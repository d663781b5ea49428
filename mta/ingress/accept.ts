// The one way in, for SMTP and HTTP alike: domain → suppression → rewrite, convert → headers → DKIM → parcel → publish → answer.
import { failpoint } from '../../process/failpoint.ts';
import { mailStream, mailSubject, poolKey } from '../bus/names.ts';
import type { DomainSnapshot, PoolSnapshot } from '../bus/snapshot.ts';
import { type Address, isAscii, parseAddress, parseDomain } from '../message/addresses.ts';
import { convertMessage } from '../message/convert.ts';
import { headerNeedsUtf8 } from '../message/convert_fields.ts';
import { dkimSignatures } from '../message/dkim.ts';
import { type Field, find, joinEntity, splitEntity, textOf } from '../message/fields.ts';
import {
  authorOf,
  CLASS_FIELD,
  ENGAGED_FIELD,
  refuseLoop,
  withoutPrivate,
  withTrace,
} from '../message/headers.ts';
import { firstHopId, parcelIdOf, parcelIdOfKey } from '../message/ids.ts';
import { normaliseLineEnds } from '../message/lines.ts';
import { encodeParcel, PARCEL_VERSION, type Parcel, type ParcelId, shardOf } from '../message/parcel.ts';
import type { Fleet } from './fleet.ts';
import { acceptSeconds, bytes, dkimSeconds, messages, recipients } from './metrics.ts';
import { type PublishPort, publishOnce } from './publish.ts';
import { asRefusal, OutcomeUnknown, Refused } from './refusal.ts';
import type { SigningKeys } from './signing_keys.ts';

/** A message as a client gave it, its envelope checked. */
export interface Submission {
  readonly account: string;
  /** The envelope sender; null is the null path. */
  readonly from: Address | null;
  readonly recipients: readonly Address[];
  readonly content: Buffer;
  /** HTTP's Idempotency-Key. */
  readonly idempotencyKey: string | null;
  /** The class asked for outside of the message; X-Postfleet-Class says it inside. */
  readonly priorityClass: string | null;
  /** Whether its recipients are said to want it; null: X-Postfleet-Engaged inside of the message says it. */
  readonly engaged: boolean | null;
  /** For the Received field. */
  readonly client: { readonly helo: string; readonly address: string; readonly protocol: string };
}

export interface Accepted {
  readonly id: ParcelId;
  /** The client had given it before; it is stored once. */
  readonly duplicate: boolean;
}

export interface AcceptParts {
  readonly fleet: Fleet;
  readonly keys: SigningKeys;
  readonly publish: PublishPort;
  readonly hostname: string;
  readonly horizonMs: number;
  readonly now: () => number;
}

/**
 * Accepts the message: when it resolves, the message is stored.
 * @throws Refused when certainly nothing is stored, OutcomeUnknown when the client must be left without an answer.
 */
export async function accept(parts: AcceptParts, submission: Submission): Promise<Accepted> {
  const stop = acceptSeconds.startTimer();
  let pool = '';
  try {
    const prepared = await prepare(parts, submission);
    pool = prepared.parcel.pool;
    failpoint('ingress.before-publish');
    const { duplicate } = await publishParcel(parts, prepared.parcel, prepared.shards);
    failpoint('ingress.published');
    stop();
    countAccepted(prepared.parcel, duplicate);
    return { id: prepared.parcel.id, duplicate };
  } catch (error) {
    throw countRefused(asRefusal(error), pool);
  }
}

/** Publishes a parcel to the shard of its id. */
export function publishParcel(
  { publish, horizonMs }: Pick<AcceptParts, 'publish' | 'horizonMs'>,
  parcel: Parcel,
  shards: number,
): Promise<{ duplicate: boolean }> {
  const key = poolKey(parcel.pool);
  const shard = shardOf(parcel.id, shards);
  const subject = mailSubject(key, shard, parcel.priorityClass);
  const stream = mailStream(key, shard);
  return publishOnce(publish, { subject, stream, id: parcel.hopId, data: encodeParcel(parcel) }, horizonMs);
}

async function prepare(
  parts: AcceptParts,
  submission: Submission,
): Promise<{ parcel: Parcel; shards: number }> {
  const { account, client } = submission;
  const received = splitEntity(normaliseLineEnds(submission.content));
  refuseLoop(received.fields);
  const author = authorOf(received.fields).address;
  const domain = await allowedDomain(parts.fleet, author.domain, account);
  const from = await envelopeSender(parts.fleet, domain, submission);
  const pool = await openPool(parts.fleet, domain.pool);
  const priorityClass = classOf(pool, submission.priorityClass, received.fields);
  const id = idOf(submission, received.fields);
  const now = new Date(parts.now());
  const addresses = unique(submission.recipients);
  const smtpUtf8 = !isAscii(from + addresses.join('')) || headerNeedsUtf8(received.fields);
  const trace = {
    ...client,
    hostname: parts.hostname,
    id,
    now,
    recipient: addresses.length === 1 ? (addresses[0] ?? null) : null,
  };
  const traced = withTrace(withoutPrivate(received.fields), trace, domain.domain);
  const converted = convertMessage({ fields: traced, body: received.body }, smtpUtf8);
  return {
    shards: pool.shards,
    parcel: {
      version: PARCEL_VERSION,
      id,
      hopId: firstHopId(id),
      hop: 0,
      account,
      pool: domain.pool,
      sendingDomain: domain.domain,
      priorityClass,
      acceptedAt: now.getTime(),
      from,
      smtpUtf8,
      isNotification: false,
      ...(isEngaged(submission.engaged, received.fields) && { engaged: true }),
      recipients: addresses.map(newRecipient),
      message: await sign(parts.keys, domain, converted.fields, converted.body, now),
    },
  };
}

export const newRecipient = (address: string) => ({
  address,
  attempts: 0,
  dueAt: null,
  lastReply: null,
  stickySource: null,
});

/** The message with its signatures in front. */
export async function sign(
  keys: SigningKeys,
  domain: DomainSnapshot,
  fields: readonly Field[],
  body: Buffer,
  now: Date,
): Promise<Buffer> {
  const stop = dkimSeconds.startTimer();
  const signatures = await dkimSignatures(
    fields,
    body,
    keys.keysOf(domain),
    Math.floor(now.getTime() / 1000),
  );
  stop();
  return joinEntity({ fields: [...signatures, ...fields], body });
}

/** The SendingDomain of that name if the account may use it. @throws Refused senderDomain */
async function allowedDomain(fleet: Fleet, name: string, account: string): Promise<DomainSnapshot> {
  const domain = await fleet.domain(name);
  if (!domain) throw new Refused('senderDomain', `${name} is not a sending domain here`);
  if (domain.accounts.length > 0 && !domain.accounts.includes(account))
    throw new Refused('senderDomain', `account ${account} may not send for ${name}`);
  return domain;
}

/** With a return path the domain is ours; without one it must be the account's, or bounces would go to strangers. */
async function envelopeSender(
  fleet: Fleet,
  domain: DomainSnapshot,
  { from, account }: Submission,
): Promise<string> {
  if (from === null) return '';
  if (domain.returnPath !== null) return withDomain(from, domain.returnPath);
  if (from.domain !== domain.domain) await allowedDomain(fleet, from.domain, account);
  return from.text;
}

function withDomain(from: Address, name: string): string {
  const domain = parseDomain(name);
  const address = parseAddress(`${from.local}@${domain.ok ? domain.domain : name}`);
  if (!address.ok)
    throw new Refused(
      'badSender',
      `with the return path ${name} the sender is not valid: ${address.message}`,
    );
  return address.address.text;
}

/** @throws Refused while the pool is not known, or takes nothing new. */
async function openPool(fleet: Fleet, name: string): Promise<PoolSnapshot> {
  const pool = await fleet.pool(name);
  if (!pool) throw new Refused('unavailable', `the sending pool ${name} is not ready`);
  if (pool.intakeClosed) throw new Refused('closing', `the sending pool ${name} takes no new mail`);
  return pool;
}

function classOf(pool: PoolSnapshot, asked: string | null, fields: readonly Field[]): string {
  const one = find(fields, CLASS_FIELD);
  const name = asked ?? (one ? textOf(one) : null) ?? pool.classes[0]?.name ?? '';
  if (pool.classes.some((each) => each.name === name)) return name;
  const known = pool.classes.map((each) => each.name).join(', ');
  throw new Refused('unknownClass', `"${name.slice(0, 63)}" is no priority class; there are: ${known}`);
}

/** Only warm-up looks at it, so a value that nobody knows is no reason to refuse the message. */
function isEngaged(asked: boolean | null, fields: readonly Field[]): boolean {
  const one = find(fields, ENGAGED_FIELD);
  return asked ?? (one ? /^(yes|true|1)$/i.test(textOf(one).trim()) : false);
}

function idOf(
  { account, from, recipients, content, idempotencyKey }: Submission,
  fields: readonly Field[],
): ParcelId {
  if (idempotencyKey !== null) return parcelIdOfKey(account, idempotencyKey);
  const messageId = find(fields, 'message-id');
  return parcelIdOf({
    account,
    from: from?.text ?? '',
    recipients: recipients.map(({ text }) => text),
    messageId: messageId ? textOf(messageId) : null,
    content,
  });
}

/** Without repeats; the case of a local part makes no other mailbox anywhere we know of. The first spelling stays. */
export const unique = (addresses: readonly Address[]): readonly string[] =>
  [...new Map(addresses.toReversed().map(({ text }) => [text.toLowerCase(), text])).values()].toReversed();

function countAccepted(parcel: Parcel, duplicate: boolean): void {
  const { pool } = parcel;
  messages.inc({ result: duplicate ? 'duplicate' : 'accepted', reason: '', pool });
  if (duplicate) return;
  recipients.inc({ result: 'accepted', pool }, parcel.recipients.length);
  bytes.inc({ pool }, parcel.message.length);
}

function countRefused(error: unknown, pool: string): unknown {
  const reason = error instanceof Refused ? error.reason : '';
  const result =
    error instanceof OutcomeUnknown ? 'unknown' : error instanceof Refused ? 'refused' : 'failed';
  messages.inc({ result, reason, pool });
  return error;
}
