// Header fields (RFC 5322 §2.2): split, unfolded, put together again. Fields keep their octets: a value that was not changed
// leaves exactly as it came, which signatures of others depend on.

/** A field as it stands in the message, folds included, without its final CRLF; one character an octet (latin1). */
export interface Field {
  /** Lower case. */
  readonly key: string;
  readonly raw: string;
}

export interface Entity {
  readonly fields: readonly Field[];
  readonly body: Buffer;
}

/** More than this is refused: octets of a header section, and fields in it. */
export const MAX_HEADER_BYTES = 262_144;
export const MAX_FIELDS = 2000;

/** The message cannot be taken as it is; `status` is the enhanced status code. */
export class MessageFault extends Error {
  override readonly name = 'MessageFault';
  readonly status: string;
  constructor(status: string, message: string) {
    super(message);
    this.status = status;
  }
}

const NAME = /^([!-9;-~]+)[ \t]*:/;

/**
 * Splits a message or MIME part with CRLF line ends. The header ends at an empty line, or at the first line that is no field.
 * @throws MessageFault 5.6.0 when the header section is over its bounds.
 */
export function splitEntity(text: Buffer): Entity {
  const { header, body } = separate(text);
  const fields: Field[] = [];
  const lines = header === '' ? [] : header.split('\r\n');
  let offset = 0;
  for (let at = 0; at < lines.length; at++) {
    const start = at;
    const key = NAME.exec(lines[at] ?? '')?.[1]?.toLowerCase();
    // Without this a body whose header ends without an empty line would be dropped, or become fields.
    if (key === undefined) return { fields, body: text.subarray(offset) };
    while (/^[ \t]/.test(lines[at + 1] ?? '')) at++;
    const raw = start === at ? (lines[at] ?? '') : lines.slice(start, at + 1).join('\r\n');
    fields.push({ key, raw });
    offset += raw.length + 2;
  }
  if (fields.length > MAX_FIELDS) throw new MessageFault('5.6.0', `more than ${MAX_FIELDS} header fields`);
  return { fields, body };
}

function separate(text: Buffer): { header: string; body: Buffer } {
  if (text[0] === 0x0d && text[1] === 0x0a) return { header: '', body: text.subarray(2) };
  const end = text.indexOf('\r\n\r\n');
  const length = end < 0 ? text.length - (text.subarray(-2).equals(Buffer.from('\r\n')) ? 2 : 0) : end;
  if (length > MAX_HEADER_BYTES)
    throw new MessageFault('5.6.0', `the header section is longer than ${MAX_HEADER_BYTES} octets`);
  const body = end < 0 ? text.subarray(text.length) : text.subarray(end + 4);
  return { header: text.toString('latin1', 0, length), body };
}

/** The header section with its empty line. */
export function headerBytes(fields: readonly Field[]): Buffer {
  return Buffer.from(
    `${fields.map(({ raw }) => raw).join('\r\n')}${fields.length ? '\r\n' : ''}\r\n`,
    'latin1',
  );
}

export const joinEntity = ({ fields, body }: Entity): Buffer => Buffer.concat([headerBytes(fields), body]);

/** Makes a field of text (UTF-8 where it is not ASCII). @throws MessageFault when name or value would break the header. */
export function field(name: string, value: string): Field {
  if (!/^[!-9;-~]{1,76}$/.test(name)) throw new MessageFault('5.6.0', `"${name}" is no header field name`);
  if (/[\0\r\n]/.test(value.replace(/\r\n(?=[ \t])/g, '')))
    throw new MessageFault('5.6.0', `the header field ${name} has a line break or NUL in its value`);
  return { key: name.toLowerCase(), raw: Buffer.from(`${name}: ${value}`).toString('latin1') };
}

/** The octets of the value after the colon, unfolded and trimmed (one character an octet, so not `trim`: 0xA0 is no space). */
export function rawValue({ raw }: Field): string {
  return raw
    .slice(raw.indexOf(':') + 1)
    .replace(/\r\n(?=[ \t])/g, '')
    .replace(/^[ \t]+|[ \t]+$/g, '');
}

/** The value as text: UTF-8, or latin1 where it is no UTF-8. */
export function textOf(one: Field): string {
  const raw = rawValue(one);
  if (isAsciiText(raw)) return raw;
  const text = Buffer.from(raw, 'latin1').toString('utf8');
  return text.includes('\uFFFD') ? raw : text;
}

/** The name as it is written. */
export const nameOf = ({ raw }: Field): string => raw.slice(0, raw.indexOf(':')).trimEnd();

export const find = (fields: readonly Field[], key: string): Field | undefined =>
  fields.find((one) => one.key === key);

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII, controls included.
export const isAsciiText = (text: string): boolean => /^[\x00-\x7f]*$/.test(text);
