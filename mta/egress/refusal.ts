// A CONNECT that is not granted: the reason of the dialogue, words for the log, and when to come back.
import { CONNECT_REFUSALS, type ConnectRefusal } from '../bus/connect.ts';

export class Refused extends Error {
  override readonly name = 'Refused';
  readonly reason: ConnectRefusal;
  /** For the limits; null where the caller's own schedule decides. */
  readonly retryMs: number | null;

  constructor(reason: ConnectRefusal, message: string, options: ErrorOptions & { retryMs?: number } = {}) {
    super(message, options);
    this.reason = reason;
    this.retryMs = options.retryMs ?? null;
  }

  /** The HTTP status that carries it. */
  get status(): number {
    return CONNECT_REFUSALS[this.reason];
  }
}
