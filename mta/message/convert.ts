// Makes of any message one that every MX takes: ASCII, CRLF line ends, no line over 998 octets. It happens before signing, so
// no relay after us has to change a byte. The structure stays; only leaves that need it change their encoding (RFC 6152 §3).
import { isAscii, isUtf8 } from 'node:buffer';
import libmime from 'libmime';
import { convertFields } from './convert_fields.ts';
import {
  type Entity,
  type Field,
  field,
  find,
  joinEntity,
  MessageFault,
  splitEntity,
  textOf,
} from './fields.ts';
import { breakLongLines, hasLongLine, isPlain } from './lines.ts';
import { splitMultipart } from './multipart.ts';
import { decodeQuotedPrintable, encodeQuotedPrintable } from './quoted_printable.ts';

/** Deeper is refused (Postfix' mime_nesting_limit is 100). */
const MAX_DEPTH = 50;

/**
 * Converts a whole message, header and body. `keepUtf8`: it goes by SMTPUTF8 (RFC 6531), which implies 8BITMIME, so UTF-8 stays.
 * @throws MessageFault 5.6.x when it cannot be done.
 */
export function convertMessage(entity: Entity, keepUtf8: boolean): Entity {
  const { fields, body } = convertBody(entity, keepUtf8, 0);
  const mime = fields !== entity.fields && !find(fields, 'mime-version');
  return { fields: convertFields(mime ? withField(fields, 'MIME-Version', '1.0') : fields, keepUtf8), body };
}

/** The body, and the MIME fields that say how it is encoded. The same entity when nothing has to change. */
function convertBody(entity: Entity, keepUtf8: boolean, depth: number): Entity {
  if (keepUtf8 ? !entity.body.includes(0) && !hasLongLine(entity.body) : isPlain(entity.body)) return entity;
  if (depth > MAX_DEPTH) throw new MessageFault('5.6.0', `MIME parts are nested deeper than ${MAX_DEPTH}`);
  const type = contentType(entity.fields);
  if (type.value.startsWith('multipart/')) return convertMultipart(entity, type, keepUtf8, depth);
  if (type.value === 'message/rfc822') return convertNested(entity, keepUtf8, depth);
  return convertLeaf(entity, type.value, depth === 0);
}

interface ContentType {
  readonly value: string;
  readonly boundary: string | undefined;
}

function contentType(fields: readonly Field[]): ContentType {
  const one = find(fields, 'content-type');
  if (!one) return { value: 'text/plain', boundary: undefined };
  const { value, params } = libmime.parseHeaderValue(textOf(one));
  return { value: value.trim().toLowerCase(), boundary: params.boundary };
}

function convertMultipart(entity: Entity, type: ContentType, keepUtf8: boolean, depth: number): Entity {
  // A signature covers the parts as they are, so they stay while a server without 8BITMIME is the only one to mind.
  if (type.value === 'multipart/signed' && !hasLongLine(entity.body) && !entity.body.includes(0))
    return entity;
  const frame = type.boundary ? splitMultipart(entity.body, type.boundary) : null;
  if (!frame)
    throw new MessageFault('5.6.3', 'a multipart without its boundary has 8-bit octets or long lines');
  const parts = frame.parts.flatMap(({ delimiter, part }) => {
    const inner = splitEntity(part);
    return [delimiter, joinPart(convertBody(inner, keepUtf8, depth + 1), inner, part, keepUtf8)];
  });
  const body = Buffer.concat([plainText(frame.preamble), ...parts, plainText(frame.end)]);
  return { fields: withEncoding(entity.fields, keepUtf8 ? '8bit' : '7bit'), body };
}

/** Byte for byte what it was when nothing in it had to change. */
function joinPart(converted: Entity, original: Entity, part: Buffer, keepUtf8: boolean): Buffer {
  const fields = convertFields(converted.fields, keepUtf8);
  if (converted === original && fields === original.fields) return part;
  return joinEntity({ fields, body: converted.body });
}

function convertNested(entity: Entity, keepUtf8: boolean, depth: number): Entity {
  if (/base64|quoted/.test(encodingOf(entity.fields))) return convertLeaf(entity, 'message/rfc822', false);
  const inner = splitEntity(entity.body);
  const body = joinPart(convertBody(inner, keepUtf8, depth + 1), inner, entity.body, keepUtf8);
  return { fields: withEncoding(entity.fields, keepUtf8 ? '8bit' : '7bit'), body };
}

function convertLeaf(entity: Entity, type: string, top: boolean): Entity {
  const { fields, body } = entity;
  const encoding = encodingOf(fields);
  switch (encoding) {
    case 'base64':
      return { fields, body: base64Lines(Buffer.from(body.toString('latin1'), 'base64')) };
    case 'quoted-printable':
      return { fields, body: encodeQuotedPrintable(decodeQuotedPrintable(body)) };
    case '7bit':
    case '8bit':
    case 'binary':
    case '': {
      const labelled = top && !find(fields, 'content-type') ? withCharset(fields, body) : fields;
      return type.startsWith('text/') && isMostlyAscii(body)
        ? { fields: withEncoding(labelled, 'quoted-printable'), body: encodeQuotedPrintable(body) }
        : { fields: withEncoding(labelled, 'base64'), body: base64Lines(body) };
    }
    default:
      throw new MessageFault('5.6.3', `a part in the encoding "${encoding}" has 8-bit octets or long lines`);
  }
}

const encodingOf = (fields: readonly Field[]): string => {
  const one = find(fields, 'content-transfer-encoding');
  return one
    ? (textOf(one)
        .toLowerCase()
        .split(/[\s;(]/)[0] ?? '')
    : '';
};

/** RFC 2045 §6.4: a new encoding needs MIME-Version; §5.2: without Content-Type it would be US-ASCII. RFC 1428: unknown-8bit. */
function withCharset(fields: readonly Field[], body: Buffer): readonly Field[] {
  const charset = isAscii(body) ? 'us-ascii' : isUtf8(body) ? 'utf-8' : 'unknown-8bit';
  return withField(fields, 'Content-Type', `text/plain; charset=${charset}`);
}

const withEncoding = (fields: readonly Field[], encoding: string): readonly Field[] =>
  withField(fields, 'Content-Transfer-Encoding', encoding);

/** With the field's value replaced where it stands, or added at the end. */
function withField(fields: readonly Field[], name: string, value: string): readonly Field[] {
  const made = field(name, value);
  const at = fields.findIndex(({ key }) => key === made.key);
  return at < 0 ? [...fields, made] : fields.with(at, made);
}

/** Base64 pays off where more than a sixth would be escaped. */
function isMostlyAscii(body: Buffer): boolean {
  let escaped = 0;
  for (const octet of body) if (octet > 0x7e || octet === 0x3d || octet === 0) escaped++;
  return escaped * 6 <= body.length;
}

const base64Lines = (data: Buffer): Buffer =>
  Buffer.from(`${(data.toString('base64').match(/.{1,76}/g) ?? []).join('\r\n')}\r\n`, 'latin1');

/** Text around the parts is for nobody to read: what cannot go is replaced. */
function plainText(text: Buffer): Buffer {
  if (isPlain(text)) return text;
  return breakLongLines(Buffer.from(text.map((octet) => (octet > 0x7f || octet === 0 ? 0x3f : octet))));
}
