// Quoted-printable (RFC 2045 §6.7).
const HEX = Buffer.from('0123456789ABCDEF');
const MAX = 75;
const [TAB, LF, CR, SPACE, EQUALS] = [0x09, 0x0a, 0x0d, 0x20, 0x3d];

/** Encodes text with CRLF line ends; those stay line ends. Lines are at most 76 octets. */
export function encodeQuotedPrintable(text: Buffer): Buffer {
  const out = Buffer.allocUnsafe(text.length * 3 + Math.ceil((text.length * 9) / 70) + 8);
  let size = 0;
  let column = 0;
  for (let i = 0; i < text.length; i++) {
    const octet = text[i] as number;
    if (octet === CR && text[i + 1] === LF) {
      out[size++] = CR;
      out[size++] = LF;
      column = 0;
      i++;
      continue;
    }
    const plain = isLiteral(octet, text, i);
    const width = plain ? 1 : 3;
    if (column + width > MAX) {
      out[size++] = EQUALS;
      out[size++] = CR;
      out[size++] = LF;
      column = 0;
    }
    column += width;
    if (plain) out[size++] = octet;
    else {
      out[size++] = EQUALS;
      out[size++] = HEX[octet >> 4] as number;
      out[size++] = HEX[octet & 15] as number;
    }
  }
  return out.subarray(0, size);
}

/** A space or tab at the end of a line would be lost on the way. */
function isLiteral(octet: number, text: Buffer, i: number): boolean {
  if (octet === SPACE || octet === TAB) return !(i + 1 === text.length || text[i + 1] === CR);
  return octet > SPACE && octet < 0x7f && octet !== EQUALS;
}

/** Decodes; what is malformed stays as it is (RFC 2045 §6.7, note on robustness). */
export function decodeQuotedPrintable(text: Buffer): Buffer {
  const decoded = text
    .toString('latin1')
    .replace(/[ \t]+(?=\r\n|$)/g, '')
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(decoded, 'latin1');
}
