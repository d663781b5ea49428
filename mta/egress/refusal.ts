// A CONNECT that is not granted: the reason of the dialogue, words for the log, and when to come back.
import { CONNECT_REFUSALS, type ConnectRefusal, type WarmupDay } from '../bus/connect.ts';

export class Refused extends Error {
  override readonly name = 'Refused';
  readonly reason: ConnectRefusal;
  /** For the limits; null where the caller's own schedule decides. */
  readonly retryMs: number | null;
  /** What warm-up leaves of the day, where it sets a limit. */
  readonly warmup: WarmupDay | null;

  constructor(
    reason: ConnectRefusal,
    message: string,
    options: ErrorOptions & { retryMs?: number; warmup?: WarmupDay | null } = {},
  ) {
    super(message, options);
    this.reason = reason;
    this.retryMs = options.retryMs ?? null;
    this.warmup = options.warmup ?? null;
  }

  /** The HTTP status that carries it. */
  get status(): number {
    return CONNECT_REFUSALS[this.reason];
  }
}
