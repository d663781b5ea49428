// Writes to KV that say which revision they follow.
import { JetStreamApiError } from '@nats-io/jetstream';

/** JetStream's "wrong last sequence". */
const WRONG_LAST_SEQUENCE = [10071, 10164];

/** The key has another revision than the write expected, or is there although it was to be created: nothing was written. */
export const isWrongRevision = (error: unknown): boolean =>
  error instanceof JetStreamApiError && WRONG_LAST_SEQUENCE.includes(error.code);
