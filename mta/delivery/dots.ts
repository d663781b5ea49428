// Dots at the start of lines (RFC 5321 §4.5.2). A search for the few there are, where a loop over all octets cost a tenth of
// delivery's time. Line ends are CRLF: ingress leaves no bare CR or LF in a parcel.

const LINE_START = Buffer.from('\n.');
const DOT = Buffer.from('.');

/** The piece of a message with every dot at the start of a line doubled; the same buffer when there is none. */
export function doubleDots(piece: Buffer, beginsLine: boolean): Buffer {
  const parts: Buffer[] = [];
  let kept = 0;
  const doubleAt = (at: number) => {
    parts.push(piece.subarray(kept, at), DOT);
    kept = at;
  };
  if (beginsLine && piece[0] === DOT[0]) doubleAt(0);
  for (let at = piece.indexOf(LINE_START); at >= 0; at = piece.indexOf(LINE_START, at + 1)) doubleAt(at + 1);
  if (parts.length === 0) return piece;
  parts.push(piece.subarray(kept));
  return Buffer.concat(parts);
}
