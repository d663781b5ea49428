// Streams that are never made anew, for tests of other things.
import { Incarnation, type Incarnations } from './incarnation.ts';

const CREATED = '2026-01-01T00:00:00Z';

export const ORIGIN = {
  incarnation: new Incarnation(CREATED, () => {}),
  consumerMadeAt: Date.parse(CREATED),
};

export const LASTING: Pick<Incarnations, 'check' | 'connection'> = {
  check: async () => ORIGIN.incarnation,
  connection: new AbortController().signal,
};
