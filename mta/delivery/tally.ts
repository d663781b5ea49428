// Counts what attempts and fates come to.

import type { PodResults } from '../bus/snapshot.ts';
import type { DeliveryMetrics } from './metrics.ts';
import type { AttemptResult, Clock, Task, Verdict } from './ports.ts';
import type { Header, Settled } from './settle.ts';

const ATTEMPT: Readonly<Record<Verdict['kind'], string>> = {
  reply: 'reply',
  failed: 'failed',
  unknown: 'unknown',
  noRoom: 'no_room',
  aborted: 'aborted',
};

/** Whether a remote server was asked: refused connections and what we gave up ourselves are no attempts. */
export const isAttempt = ({ kind }: Verdict): boolean => kind !== 'noRoom' && kind !== 'aborted';

export class Tally {
  readonly #pool: string;
  readonly #metrics: DeliveryMetrics;
  readonly #clock: Clock;
  readonly #results = { delivered: 0, deferred: 0, bounced: 0 };

  constructor(pool: string, metrics: DeliveryMetrics, clock: Clock) {
    this.#pool = pool;
    this.#metrics = metrics;
    this.#clock = clock;
  }

  /** What attempts came to since the process began; one that ends the patience is one more deferral. */
  get results(): PodResults {
    return { ...this.#results };
  }

  /** An attempt has given its verdicts. */
  attempted = (task: Task, { verdicts, source, provider }: AttemptResult): void => {
    const labels = { pool: this.#pool, provider: provider || task.provider, address: source ?? '' };
    for (const { kind } of verdicts) {
      this.#metrics.attempts.inc({ ...labels, result: ATTEMPT[kind] });
      if (kind === 'unknown') this.#metrics.possiblyRepeated.inc({ pool: this.#pool });
    }
  };

  /** The fate of a recipient is durable. */
  ended = (header: Header, { fate, provider, source }: Settled): void => {
    if (fate.kind === 'waits' && !fate.counted) return;
    if (fate.kind === 'waits' || fate.kind === 'expired') this.#results.deferred++;
    else if (fate.kind !== 'suppressed') this.#results[fate.kind]++;
    const labels = { pool: this.#pool, provider: provider ?? '', address: source ?? '' };
    this.#metrics.recipients.inc({ ...labels, result: fate.kind === 'waits' ? 'deferred' : fate.kind });
    if (fate.kind !== 'delivered') return;
    this.#metrics.seconds.observe(
      { pool: this.#pool },
      Math.max(0, this.#clock.now() - header.acceptedAt) / 1000,
    );
  };
}
