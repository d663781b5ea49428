// The frame of a multipart body (RFC 2046 §5.1): found, and put together again with its delimiters as they were.
export interface Multipart {
  readonly preamble: Buffer;
  /** Each delimiter line as it stands (with the line break before it), and the part after it. */
  readonly parts: readonly { readonly delimiter: Buffer; readonly part: Buffer }[];
  /** The close delimiter and all that follows; empty when it is missing. */
  readonly end: Buffer;
}

/** Finds the parts; null when no delimiter line is there. Linear in the body. */
export function splitMultipart(body: Buffer, boundary: string): Multipart | null {
  const marks = [...delimiters(body, boundary)];
  const first = marks[0];
  if (!first || first.closes) return null;
  const closing = marks.findIndex(({ closes }) => closes);
  const opening = closing < 0 ? marks : marks.slice(0, closing);
  const close = marks[closing];
  const parts = opening.map(({ start, end }, i) => {
    const next = opening[i + 1] ?? close;
    return { delimiter: body.subarray(start, end), part: body.subarray(end, next?.start ?? body.length) };
  });
  return {
    preamble: body.subarray(0, first.start),
    parts,
    end: close ? body.subarray(close.start) : body.subarray(body.length),
  };
}

interface Mark {
  readonly start: number;
  readonly end: number;
  readonly closes: boolean;
}

function* delimiters(body: Buffer, boundary: string): Generator<Mark> {
  const dashed = Buffer.from(`--${boundary}`, 'latin1');
  for (let at = body.indexOf(dashed); at >= 0; at = body.indexOf(dashed, at + 1)) {
    const atLineStart = at === 0 || (body[at - 2] === 0x0d && body[at - 1] === 0x0a);
    if (!atLineStart) continue;
    const lineEnd = body.indexOf('\r\n', at);
    const stop = lineEnd < 0 ? body.length : lineEnd;
    const rest = body.toString('latin1', at + dashed.length, stop);
    const closes = rest.startsWith('--');
    if (!/^[ \t]*$/.test(closes ? rest.slice(2) : rest)) continue;
    yield { start: at === 0 ? 0 : at - 2, end: lineEnd < 0 ? stop : stop + 2, closes };
  }
}
