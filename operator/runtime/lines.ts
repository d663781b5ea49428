// A byte stream as lines of JSON, as watches answer.

/** Thrown when a stream ends within a line or a line is no JSON: what came before it stands. */
export class BrokenStream extends Error {
  override readonly name = 'BrokenStream';
}

/** Yields each complete line as a value. @throws BrokenStream */
export async function* jsonLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim()) yield parse(line);
  }
  if (rest.trim()) throw new BrokenStream('the stream ended within a line');
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new BrokenStream('a line of the stream is no JSON', { cause });
  }
}
