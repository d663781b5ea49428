// The mail under which faults happen: a steady rate by SMTP and HTTP, in small batches, so that a session that hangs holds up
// only its own. Like a good client it asks again until it has an answer.
import { setTimeout as delay } from 'node:timers/promises';
import { generate } from '../internet/messages.ts';
import type { Submission, SubmissionResult } from '../sender/record.ts';
import { sendAll } from '../sender/sender.ts';
import type { Stage } from '../stage/stage.ts';

const BATCH = 50;
/** More are not begun: the fleet takes nothing just now, and it would only grow a heap of waiting clients. */
const MOST_BATCHES = 12;
const SUPPRESSED_EVERY = 20;
const ATTEMPTS = 90;

/** Addresses that are suppressed before the run, at a domain that would take them. */
export const SUPPRESSED: readonly string[] = Array.from({ length: 10 }, (_, i) => `left.${i}@alder.example`);

export class Load {
  readonly results: SubmissionResult[] = [];
  readonly #stage: Stage;
  readonly #perSecond: number;
  readonly #open = new Set<Promise<unknown>>();
  readonly #messages: AsyncGenerator<Submission>;
  #given = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(stage: Stage, seed: number, perSecond: number) {
    this.#stage = stage;
    this.#perSecond = perSecond;
    const domains = stage.world.domains.map(({ domain }) => domain);
    this.#messages = generate({
      seed,
      count: Number.POSITIVE_INFINITY,
      senderDomain: stage.world.senderDomain,
      domains,
      prefix: `f${Date.now().toString(36)}`,
    });
  }

  get given(): number {
    return this.#given;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Begins no more; resolves when every message has its answer. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await Promise.all(this.#open);
  }

  async #run(): Promise<void> {
    const everyMs = (BATCH * 1000) / this.#perSecond;
    for (
      let due = performance.now();
      !this.#stopped;
      due = Math.max(due + everyMs, performance.now() - everyMs)
    ) {
      await delay(Math.max(0, due - performance.now()));
      if (this.#open.size >= MOST_BATCHES) await Promise.race(this.#open);
      const batch = this.#send(await this.#next()).finally(() => this.#open.delete(batch));
      this.#open.add(batch);
    }
  }

  async #next(): Promise<Submission[]> {
    const batch: Submission[] = [];
    while (batch.length < BATCH) {
      const { value, done } = await this.#messages.next();
      if (done) break;
      batch.push(this.#given++ % SUPPRESSED_EVERY === 0 ? alsoToSuppressed(value, this.#given) : value);
    }
    return batch;
  }

  #send(batch: readonly Submission[]): Promise<unknown> {
    const { smtp, http } = this.#stage;
    return sendAll(batch, {
      ...{ smtp, http, httpEvery: 4, sessions: 5, maxAttempts: ATTEMPTS, perSecond: this.#perSecond },
      onResult: (result) => this.results.push(result),
    });
  }
}

function alsoToSuppressed(submission: Submission, number: number): Submission {
  const address = SUPPRESSED[Math.floor(number / SUPPRESSED_EVERY) % SUPPRESSED.length] ?? '';
  return { ...submission, recipients: [...submission.recipients, address] };
}
