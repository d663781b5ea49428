// The JSON form of a message (docs/http-api.md): checked, and built into RFC 5322 by nodemailer's composer.
import { randomBytes } from 'node:crypto';
import MailComposer from 'nodemailer/lib/mail-composer';
import { z } from 'zod';
import { type Mailbox, readMailboxes } from '../message/mailboxes.ts';
import { Refused } from './refusal.ts';

const MAX_ADDRESSES = 1000;
const oneAddress = z.union([
  z.string().min(1).max(2000),
  z.strictObject({ address: z.string().min(1).max(320), name: z.string().max(500).default('') }),
]);
const addresses = z.union([oneAddress, z.array(oneAddress).max(MAX_ADDRESSES)]).default([]);
const line = z
  .string()
  .max(2000)
  .regex(/^[^\r\n\0]*$/, 'must be one line');

const attachment = z.strictObject({
  filename: line.min(1).max(255),
  contentType: line.regex(/^[\w.+-]+\/[\w.+-]+(;.*)?$/, 'must be a media type').optional(),
  content: z.base64(),
  /** Makes it inline, to be shown by `cid:…` in the HTML. */
  cid: line.max(255).optional(),
});

export const messageSchema = z
  .strictObject({
    from: oneAddress,
    to: addresses,
    cc: addresses,
    bcc: addresses,
    replyTo: addresses,
    subject: line.default(''),
    text: z.string().optional(),
    html: z.string().optional(),
    headers: z.record(z.string().regex(/^[!-9;-~]{1,76}$/, 'must be a header field name'), line).default({}),
    attachments: z.array(attachment).max(100).default([]),
    priorityClass: z.string().min(1).max(63).optional(),
    engaged: z.boolean().optional(),
    /** The envelope sender, when it is not the From address. */
    envelopeFrom: z.string().max(320).optional(),
  })
  .refine(({ text, html }) => text !== undefined || html !== undefined, 'text or html must be given');
export type JsonMessage = z.infer<typeof messageSchema>;

/** Header fields that have a property of their own, or are not the client's to set. */
const RESERVED =
  /^(from|to|cc|bcc|reply-to|subject|date|message-id|mime-version|content-.*|received|return-path|dkim-signature|x-postfleet-.*)$/i;

/** @throws Refused badRequest with a list of what is wrong where. */
export function parseJsonMessage(body: unknown): JsonMessage {
  const result = messageSchema.safeParse(body);
  const faults = result.success
    ? Object.keys(result.data.headers)
        .filter((name) => RESERVED.test(name))
        .map((name) => ({ pointer: `/headers/${name}`, detail: 'this field cannot be set here' }))
    : result.error.issues.map(({ path, message }) => ({ pointer: `/${path.join('/')}`, detail: message }));
  if (result.success && faults.length === 0) return result.data;
  const detail = faults
    .map((fault) => `${fault.pointer}: ${fault.detail}`)
    .slice(0, 3)
    .join('; ');
  throw new Refused('badRequest', `the message is malformed: ${detail}`, { details: faults });
}

export type Fault = { readonly address: string; readonly detail: string };
export interface Read {
  readonly mailboxes: readonly Mailbox[];
  readonly faults: readonly Fault[];
}

/** Reads addresses of the JSON form; a string may hold a list. Malformed ones are given back. */
export function readAddresses(given: JsonMessage['to']): Read {
  const mailboxes: Mailbox[] = [];
  const faults: Fault[] = [];
  for (const one of Array.isArray(given) ? given : [given]) {
    const read = readMailboxes(typeof one === 'string' ? one : one.address);
    faults.push(...read.faults.map(({ text, message }) => ({ address: text, detail: message })));
    mailboxes.push(
      ...read.mailboxes.map((box) => (typeof one === 'string' ? box : { ...box, name: one.name })),
    );
  }
  return { mailboxes, faults };
}

export interface Addressed {
  readonly from: Mailbox;
  readonly to: readonly Mailbox[];
  readonly cc: readonly Mailbox[];
  readonly replyTo: readonly Mailbox[];
}

/** The message as RFC 5322 text. Nothing is read from files or the network. */
export function buildMessage(message: JsonMessage, addressed: Addressed): Promise<Buffer> {
  const named = ({ name, address }: Mailbox) => ({ name, address: address.text });
  const composer = new MailComposer({
    from: named(addressed.from),
    to: addressed.to.map(named),
    cc: addressed.cc.map(named),
    replyTo: addressed.replyTo.map(named),
    subject: message.subject,
    ...(message.text !== undefined && { text: message.text }),
    ...(message.html !== undefined && { html: message.html }),
    headers: message.headers,
    messageId: `<${randomBytes(16).toString('hex')}@${addressed.from.address.domain}>`,
    attachments: message.attachments.map(({ filename, contentType, content, cid }) => ({
      filename,
      content: Buffer.from(content, 'base64'),
      ...(contentType !== undefined && { contentType }),
      ...(cid !== undefined && { cid, contentDisposition: 'inline' as const }),
    })),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return new Promise((resolve, reject) =>
    composer.compile().build((error, built) => (error ? reject(error) : resolve(built as Buffer))),
  );
}
