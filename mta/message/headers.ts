// What a submission agent does to the header (RFC 6409 §8, RFC 5321 §4.4): takes out what must not leave, adds what is missing.
import { type Field, field, find, MessageFault, textOf } from './fields.ts';
import { type Mailbox, parseMailboxes } from './mailboxes.ts';

/** As many Received fields mean a loop (RFC 5321 §6.3; Postfix' hopcount_limit). */
export const MAX_HOPS = 50;

/** The class field that a client may set; it is taken out like every other control field. */
export const CLASS_FIELD = 'x-postfleet-class';
/** `yes`: its recipients want it, so it may have the allowance of young source addresses first. */
export const ENGAGED_FIELD = 'x-postfleet-engaged';

/** For a 7-bit and a UTF-8 world alike: who wrote it. @throws MessageFault when there is not exactly one sender. */
export function authorOf(fields: readonly Field[]): Mailbox {
  const from = fields.filter(({ key }) => key === 'from');
  if (from.length !== 1)
    throw new MessageFault('5.6.0', `a message has one From field, this one has ${from.length}`);
  const parsed = parseMailboxes(textOf(from[0] as Field));
  if (!parsed.ok) throw new MessageFault('5.1.7', `From: ${parsed.message}`);
  const [author, ...more] = parsed.mailboxes;
  if (!author) throw new MessageFault('5.1.7', 'From has no address');
  // Signing for the first would vouch for the others.
  if (more.length) throw new MessageFault('5.6.0', 'From has more than one address');
  return author;
}

/** @throws MessageFault 5.4.6 when the message has gone round. */
export function refuseLoop(fields: readonly Field[]): void {
  const hops = fields.reduce((count, { key }) => count + (key === 'received' ? 1 : 0), 0);
  if (hops >= MAX_HOPS) throw new MessageFault('5.4.6', `mail loop: ${hops} Received fields`);
}

const leavesOut = (key: string): boolean =>
  key === 'bcc' || key === 'return-path' || key.startsWith('x-postfleet-');

/** Without Bcc, Return-Path and our control fields. */
export const withoutPrivate = (fields: readonly Field[]): readonly Field[] =>
  fields.some(({ key }) => leavesOut(key)) ? fields.filter(({ key }) => !leavesOut(key)) : fields;

export interface Trace {
  /** What the client called itself, and its address. */
  readonly helo: string;
  readonly address: string;
  /** ESMTPSA, HTTPS, … (RFC 3848). */
  readonly protocol: string;
  readonly hostname: string;
  readonly id: string;
  /** Shown only when there is one: more would tell each of the others. */
  readonly recipient: string | null;
  readonly now: Date;
}

/** RFC 5321 §4.4. */
export function receivedField(trace: Trace): Field {
  const helo = /^[\w.:[\]-]{1,255}$/.test(trace.helo) ? trace.helo : 'unknown';
  const address = trace.address.includes(':') ? `IPv6:${trace.address}` : trace.address;
  const to = trace.recipient === null ? '' : `\r\n for <${trace.recipient}>`;
  const by = `\r\n by ${trace.hostname} with ${trace.protocol} id ${trace.id}`;
  return field('Received', `from ${helo} ([${address}])${by}${to};\r\n ${dateText(trace.now)}`);
}

/** With Received in front, and Date and Message-ID when they are missing. */
export function withTrace(fields: readonly Field[], trace: Trace, domain: string): readonly Field[] {
  const added = [receivedField(trace)];
  const missing: Field[] = [];
  if (!find(fields, 'date')) missing.push(field('Date', dateText(trace.now)));
  if (!find(fields, 'message-id')) missing.push(field('Message-ID', `<${trace.id}@${domain}>`));
  return [...added, ...fields, ...missing];
}

/** RFC 5322 §3.3, in UTC. */
export const dateText = (date: Date): string => date.toUTCString().replace('GMT', '+0000');
