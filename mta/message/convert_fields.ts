// Header fields that every MX takes: ASCII by encoded words (RFC 2047) and encoded parameters (RFC 2231), no line over 998.
import libmime from 'libmime';
import { type Field, field, isAsciiText, MessageFault, nameOf, textOf } from './fields.ts';
import { MAX_LINE } from './lines.ts';
import { type Mailbox, parseMailboxes } from './mailboxes.ts';

const ADDRESS_FIELDS = new Set([
  'from',
  'sender',
  'to',
  'cc',
  'bcc',
  'reply-to',
  'resent-from',
  'resent-sender',
  'resent-to',
  'resent-cc',
  'disposition-notification-to',
]);
const PARAMETER_FIELDS = new Set(['content-type', 'content-disposition']);
const LONG_LINE = new RegExp(`[^\\r\\n]{${MAX_LINE + 1}}`);

/** The same array when nothing has to change. */
export function convertFields(fields: readonly Field[], keepUtf8: boolean): readonly Field[] {
  if (fields.every((one) => isFine(one, keepUtf8))) return fields;
  return fields.map((one) => (isFine(one, keepUtf8) ? one : converted(one, keepUtf8)));
}

/** Whether an address in the header has a local part beyond ASCII, which no encoding can hide: it needs SMTPUTF8. */
export function headerNeedsUtf8(fields: readonly Field[]): boolean {
  return fields.some((one) => {
    if (!ADDRESS_FIELDS.has(one.key) || isAsciiText(one.raw)) return false;
    const parsed = parseMailboxes(textOf(one));
    return parsed.ok && parsed.mailboxes.some(({ address }) => address.needsUtf8);
  });
}

const isFine = ({ raw }: Field, keepUtf8: boolean): boolean =>
  (keepUtf8 || isAsciiText(raw)) && !raw.includes('\0') && (raw.length <= MAX_LINE || !LONG_LINE.test(raw));

function converted(one: Field, keepUtf8: boolean): Field {
  const text = textOf(one).replaceAll('\0', '');
  const value = keepUtf8 || isAsciiText(text) ? text : encoded(one.key, text);
  const folded = fold(nameOf(one), value);
  if (LONG_LINE.test(folded.raw))
    throw new MessageFault('5.6.0', `the header field ${nameOf(one)} has a line over ${MAX_LINE} octets`);
  return folded;
}

function encoded(key: string, text: string): string {
  if (PARAMETER_FIELDS.has(key)) {
    const { value, params } = libmime.parseHeaderValue(text);
    return libmime.buildHeaderValue({ value, params });
  }
  if (!ADDRESS_FIELDS.has(key)) return encodedWords(text);
  const parsed = parseMailboxes(text);
  return parsed.ok ? parsed.mailboxes.map(mailboxText).join(', ') : encodedWords(text);
}

/** `name <address>` in ASCII, the name quoted or in encoded words where it must be. */
export function mailboxText({ name, address }: Pick<Mailbox, 'name' | 'address'>): string {
  if (!name) return address.text;
  if (!isAsciiText(name)) return `${encodedWords(name)} <${address.text}>`;
  const phrase = /^[\w !#$%&'*+/=?^`{|}~-]*$/.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`;
  return `${phrase} <${address.text}>`;
}

/** Octets of text in one encoded word: 60 characters of base64 and the frame make 72 of the 75 allowed. */
const WORD_OCTETS = 45;

/** The text as encoded words joined by spaces, never cut within a character (RFC 2047 §5). */
export function encodedWords(text: string): string {
  const words: string[] = [];
  let word = '';
  let octets = 0;
  const take = () => words.push(`=?utf-8?B?${Buffer.from(word).toString('base64')}?=`);
  for (const character of text) {
    const length = Buffer.byteLength(character);
    if (octets + length > WORD_OCTETS) {
      take();
      [word, octets] = ['', 0];
    }
    word += character;
    octets += length;
  }
  if (word) take();
  return words.join(' ');
}

/** Folds before words so that lines stay under 78 where they can (RFC 5322 §2.1.1). */
function fold(name: string, value: string): Field {
  let line = `${name}:`;
  const lines: string[] = [];
  for (const word of value.split(/[ \t]+/)) {
    if (line.length + 1 + word.length > 76 && line.trim() !== '' && line !== `${name}:`) {
      lines.push(line);
      line = '';
    }
    line += ` ${word}`;
  }
  lines.push(line);
  const [first = '', ...rest] = lines;
  const unfolded = [first.slice(name.length + 2), ...rest].join('\r\n');
  return field(name, unfolded);
}
