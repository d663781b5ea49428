// Reads a socket as SMTP is spoken: command lines, and a message up to its final dot.
import type { Socket } from 'node:net';

const MAX_LINE = 4096;

export class LineReader {
  readonly #socket: Socket;
  #buffer: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void) | null = null;
  readonly #onData = (chunk: Buffer) => {
    this.#buffer = this.#buffer.length ? Buffer.concat([this.#buffer, chunk]) : chunk;
    this.#wake?.();
  };
  readonly #onEnd = () => {
    this.#ended = true;
    this.#wake?.();
  };

  constructor(socket: Socket) {
    this.#socket = socket;
    socket
      .on('data', this.#onData)
      .once('end', this.#onEnd)
      .once('close', this.#onEnd)
      .on('error', this.#onEnd);
  }

  /** The next line without its end; null when there is none any more. */
  async line(): Promise<string | null> {
    for (;;) {
      const end = this.#buffer.indexOf(10);
      if (end >= 0) {
        const line = this.#buffer.toString('utf8', 0, end).replace(/\r$/, '');
        this.#buffer = this.#buffer.subarray(end + 1);
        return line;
      }
      if (this.#ended || this.#buffer.length > MAX_LINE) return null;
      await this.#more();
    }
  }

  /** The message up to CRLF dot CRLF (and nothing else ends it), with dots unstuffed; null when the connection ended before. */
  async message(): Promise<Buffer | null> {
    // As if CRLF preceded it: an empty message is just the dot.
    const chunks: Buffer[] = [Buffer.from('\r\n')];
    let tail = Buffer.from('\r\n');
    for (;;) {
      const seen = Buffer.concat([tail, this.#buffer]);
      const end = seen.indexOf('\r\n.\r\n');
      if (end >= 0) {
        const used = end + 5 - tail.length;
        chunks.push(this.#buffer.subarray(0, used));
        this.#buffer = this.#buffer.subarray(used);
        const all = Buffer.concat(chunks);
        return unstuff(all.subarray(0, all.length - 3));
      }
      if (this.#ended) return null;
      chunks.push(this.#buffer);
      tail = Buffer.from(seen.subarray(-4));
      this.#buffer = Buffer.alloc(0);
      await this.#more();
    }
  }

  /** Lets go of the socket, for STARTTLS. What was sent in clear behind the command is thrown away (RFC 3207 §4.2). */
  detach(): void {
    this.#socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onEnd);
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = null;
        resolve();
      };
    });
  }
}

/** `raw` begins with the CRLF that was put in front. */
function unstuff(raw: Buffer): Buffer {
  if (raw.indexOf('\r\n..') < 0) return raw.subarray(2);
  return Buffer.from(raw.toString('latin1').replaceAll('\r\n..', '\r\n.'), 'latin1').subarray(2);
}
