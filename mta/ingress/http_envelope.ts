// From an HTTP request to a message and its envelope: JSON, or RFC 5322 text with the envelope in header fields.
import type { Address } from '../message/addresses.ts';
import { find, splitEntity, textOf } from '../message/fields.ts';
import { normaliseLineEnds } from '../message/lines.ts';
import { parseMailboxes, readMailboxes } from '../message/mailboxes.ts';
import { buildMessage, type Fault, parseJsonMessage, readAddresses } from './http_message.ts';
import { Refused } from './refusal.ts';

export interface Enveloped {
  readonly from: Address | null;
  readonly recipients: readonly Address[];
  /** Recipients that are no addresses. */
  readonly faults: readonly Fault[];
  readonly priorityClass: string | null;
  /** Null: not said. */
  readonly engaged: boolean | null;
  /** Builds or gives the message text. */
  readonly content: () => Promise<Buffer>;
}

/** @throws Refused */
export function envelopeOfJson(body: unknown): Enveloped {
  const message = parseJsonMessage(body);
  const sender = readAddresses(message.from);
  const [from, ...more] = sender.mailboxes;
  if (!from || more.length || sender.faults.length)
    throw new Refused(
      'badSender',
      `from: ${sender.faults[0]?.detail ?? 'there must be exactly one address'}`,
    );
  const [to, cc, bcc, replyTo] = [message.to, message.cc, message.bcc, message.replyTo].map(
    readAddresses,
  ) as [
    ReturnType<typeof readAddresses>,
    ReturnType<typeof readAddresses>,
    ReturnType<typeof readAddresses>,
    ReturnType<typeof readAddresses>,
  ];
  if (replyTo.faults[0]) throw new Refused('badMessage', `replyTo: ${replyTo.faults[0].detail}`);
  return {
    from: message.envelopeFrom === undefined ? from.address : pathOf(message.envelopeFrom, 'envelopeFrom'),
    recipients: [to, cc, bcc].flatMap(({ mailboxes }) => mailboxes.map(({ address }) => address)),
    faults: [to, cc, bcc].flatMap(({ faults }) => faults),
    priorityClass: message.priorityClass ?? null,
    engaged: message.engaged ?? null,
    content: () =>
      buildMessage(message, { from, to: to.mailboxes, cc: cc.mailboxes, replyTo: replyTo.mailboxes }),
  };
}

/** The envelope of a message given as text: Postfleet-From, Postfleet-To, or what its header says. @throws Refused */
export function envelopeOfText(
  content: Buffer,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Enveloped {
  const { fields } = splitEntity(normaliseLineEnds(content));
  const header = (name: string): string | undefined => {
    const value = headers[name];
    const joined = Array.isArray(value) ? value.join(', ') : value;
    // Node reads header octets as latin1.
    return joined === undefined ? undefined : Buffer.from(joined, 'latin1').toString('utf8');
  };
  const author = find(fields, 'from');
  const to = header('postfleet-to');
  const lists =
    to === undefined ? fields.filter(({ key }) => ['to', 'cc', 'bcc'].includes(key)).map(textOf) : [to];
  const read = lists.map(readMailboxes);
  return {
    from: pathOf(header('postfleet-from') ?? (author ? textOf(author) : ''), 'the sender'),
    recipients: read.flatMap(({ mailboxes }) => mailboxes.map(({ address }) => address)),
    faults: read.flatMap(({ faults }) =>
      faults.map(({ text, message }) => ({ address: text, detail: message })),
    ),
    priorityClass: header('postfleet-class') ?? null,
    engaged: engagedOf(header('postfleet-engaged')),
    content: async () => content,
  };
}

function engagedOf(value: string | undefined): boolean | null {
  if (value === undefined) return null;
  const [, yes, no] = /^(?:(yes|true)|(no|false))$/i.exec(value.trim()) ?? [];
  if (!yes && !no)
    throw new Refused('badMessage', `Postfleet-Engaged: "${value.slice(0, 20)}" is neither yes nor no`);
  return yes !== undefined;
}

/** `<>` is the null path. */
function pathOf(text: string, what: string): Address | null {
  if (text.trim() === '<>') return null;
  const parsed = parseMailboxes(text);
  if (!parsed.ok) throw new Refused('badSender', `${what}: ${parsed.message}`);
  const [one, ...more] = parsed.mailboxes;
  if (!one || more.length) throw new Refused('badSender', `${what}: there must be exactly one address`);
  return one.address;
}
