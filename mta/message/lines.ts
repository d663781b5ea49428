// Line ends and line lengths. SMTP knows CRLF only (RFC 5321 §2.3.8): a bare CR or LF that reaches a server which reads it as a
// line end is how smuggling works, so none leaves here.
import { isAscii } from 'node:buffer';

/** Octets of a line without its CRLF (RFC 5322 §2.1.1). */
export const MAX_LINE = 998;

const CR = 0x0d;
const LF = 0x0a;
const CRLF = Buffer.from('\r\n');

/** Whether the text is lines of ASCII without NUL, none longer than 998 octets: what every server takes. Line ends are CRLF. */
export function isPlain(text: Buffer): boolean {
  return isAscii(text) && !text.includes(0) && !hasLongLine(text);
}

/** Whether a line (CRLF line ends) is longer than 998 octets. */
export function hasLongLine(text: Buffer): boolean {
  // Jumps ahead as far as a line may reach and looks back for its end, so short lines cost one search for many.
  let start = 0;
  while (text.length - start > MAX_LINE) {
    const end = text.lastIndexOf('\r\n', start + MAX_LINE);
    if (end < start) return true;
    start = end + 2;
  }
  return false;
}

/** Makes every bare CR and bare LF a CRLF; gives the same buffer when there is none. */
export function normaliseLineEnds(text: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let kept = 0;
  for (const [at, length] of bareLineEnds(text)) {
    pieces.push(text.subarray(kept, at), CRLF);
    kept = at + length;
  }
  if (pieces.length === 0) return text;
  pieces.push(text.subarray(kept));
  return Buffer.concat(pieces);
}

/** Position and length of each CR or LF that is not part of a CRLF. */
function* bareLineEnds(text: Buffer): Generator<readonly [number, number]> {
  let lf = text.indexOf(LF);
  let cr = text.indexOf(CR);
  while (lf >= 0 || cr >= 0) {
    if (cr >= 0 && lf === cr + 1) {
      lf = text.indexOf(LF, lf + 1);
      cr = text.indexOf(CR, cr + 1);
    } else if (cr >= 0 && (lf < 0 || cr < lf)) {
      yield [cr, 1];
      cr = text.indexOf(CR, cr + 1);
    } else {
      yield [lf, 1];
      lf = text.indexOf(LF, lf + 1);
    }
  }
}

/** Breaks lines longer than 998 octets, for text in which nothing else can be done (a multipart's preamble). */
export function breakLongLines(text: Buffer): Buffer {
  if (!hasLongLine(text)) return text;
  const lines = text.toString('latin1').split('\r\n');
  const broken = lines.flatMap((line) => line.match(/[\s\S]{1,998}/g) ?? ['']);
  return Buffer.from(broken.join('\r\n'), 'latin1');
}
