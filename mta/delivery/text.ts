// The text of a message on its way to the host, and the moment from which on nobody but the host knows what becomes of it.
import type { Writable } from 'node:stream';
import { failpoint } from '../../process/failpoint.ts';
import { doubleDots } from './dots.ts';

/** A message up to this size is handed to the socket at once; a larger one in pieces as the socket takes them. */
const PIECE = 256 * 1024;
const CRLF = Buffer.from('\r\n');

/** The transaction that it belongs to. */
export interface Transaction {
  /** The socket under the session when the host has asked for the text: by then TLS may have wrapped it. */
  readonly socket: () => Writable;
  /** The session has ended. */
  readonly isOver: () => boolean;
  /** The host has asked for it. */
  readonly started: () => void;
  /** The final dot is about to leave. */
  readonly dotLeaves: () => void;
}

/**
 * Sends the text when the host has asked for it, and notes when the final dot is on its way. It goes past nodemailer's
 * stream, which looks at every octet, and leaves to it what ends the text: CRLF and the dot, so our last CRLF is kept back.
 */
export function textOf(
  message: Buffer,
  { socket: socketNow, isOver, started, dotLeaves }: Transaction,
): { pipe(to: NodeJS.WritableStream): void } {
  const length = message.subarray(-2).equals(CRLF) ? message.length - 2 : message.length;
  return {
    pipe: (to) => {
      started();
      const socket = socketNow();
      const write = (from: number): void => {
        if (isOver()) return;
        const end = Math.min(from + PIECE, length);
        const piece = doubleDots(message.subarray(from, end), from === 0 || message[from - 1] === 0x0a);
        if (end === length) {
          dotLeaves();
          // The text and the dot leave in one write.
          socket.cork();
          socket.write(piece);
          to.end();
          setImmediate(() => {
            socket.uncork();
            failpoint('delivery.final-dot');
          });
        } else if (socket.write(piece)) setImmediate(write, end);
        else socket.once('drain', () => write(end));
      };
      write(0);
    },
  };
}
