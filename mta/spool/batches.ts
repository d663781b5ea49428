// Group commit. Commits are decided when they come, against all that came before, and written one batch at a time: those that
// come while a batch is being synced share the next one. When a batch fails, what was decided after it is decided again.
import { failpoint } from '../../process/failpoint.ts';
import { Draft, Overlay, type Write } from './overlay.ts';
import type { Totals } from './record.ts';
import type { Store } from './store.ts';

export interface Job {
  /** Decides the writes; may be called again after a failure of others. */
  readonly decide: (draft: Draft) => void;
  /** Takes space, so it is refused where results still go through. */
  readonly takesSpace: boolean;
  /** Nobody waits: it goes with the next batch, and stays until one succeeds. */
  readonly canWait: boolean;
  readonly settle: (error: Error | null) => void;
}

interface Decided extends Job {
  readonly turn: number;
  readonly writes: readonly Write[];
  readonly totals: Totals;
  readonly retried: boolean;
}

const MAX_WRITES = 20_000;
const MAX_BYTES = 16 * 1024 * 1024;
/** Notes kept while nothing can be written; beyond it the oldest are forgotten, as a crash would. */
const MAX_WAITING_NOTES = 50_000;

export class Batches {
  readonly overlay = new Overlay();
  readonly #store: Store;
  readonly #onEnd: (error: Error | null) => void;
  #queue: Decided[] = [];
  #turn = 0;
  #planned: Totals;
  #durable: Totals;
  #running: Promise<void> | null = null;

  /** @param onEnd told after each batch: null, or why it failed. */
  constructor(store: Store, onEnd: (error: Error | null) => void) {
    this.#store = store;
    this.#onEnd = onEnd;
    this.#durable = store.totals;
    this.#planned = this.#durable;
  }

  get durable(): Totals {
    return this.#durable;
  }

  /** A draft that sees everything under way; for questions. */
  look(): Draft {
    return new Draft(this.#store, this.overlay, this.#planned);
  }

  /** Decides a job now and has it written. Throws what deciding throws. */
  add(job: Job): void {
    this.#decide(job, false);
    if (!job.canWait) this.#start();
  }

  get waitingNotes(): number {
    return this.#queue.length;
  }

  /** Writes what waits. Resolves when nothing is under way any more. */
  async flush(): Promise<void> {
    this.#start();
    await this.#running;
  }

  #decide(job: Job, retried: boolean): void {
    const draft = this.look();
    job.decide(draft);
    const turn = ++this.#turn;
    const { writes, totals } = draft;
    this.overlay.add(writes, turn);
    this.#planned = totals;
    const { decide, takesSpace, canWait, settle } = job;
    this.#queue.push({ decide, takesSpace, canWait, settle, turn, writes, totals, retried });
  }

  #start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // Everything asked for in this turn of the event loop goes into the first batch.
    await new Promise((resolve) => setImmediate(resolve));
    let goOn = true;
    while (goOn && this.#queue.length > 0) goOn = await this.#writeBatch(this.#take());
    // In the same step as the last look at the queue: a job that comes later must start anew.
    this.#running = null;
  }

  #take(): readonly Decided[] {
    let writes = 0;
    let bytes = 0;
    let count = 0;
    for (const job of this.#queue) {
      if (count > 0 && (writes > MAX_WRITES || bytes > MAX_BYTES)) break;
      count++;
      writes += job.writes.length;
      for (const { value } of job.writes) bytes += value?.length ?? 0;
    }
    return this.#queue.splice(0, count);
  }

  /** False: it failed, and only notes are left, which wait for the next occasion. */
  async #writeBatch(batch: readonly Decided[]): Promise<boolean> {
    const last = batch.at(-1);
    if (!last) return true;
    try {
      failpoint('spool.before-write');
      await this.#store.write(lastWrites(batch), last.totals);
    } catch (error) {
      this.#failed(batch, error as Error);
      this.#onEnd(error as Error);
      return this.#queue.some((job) => !job.canWait);
    }
    failpoint('spool.written');
    this.#durable = last.totals;
    for (const { writes, turn } of batch) this.overlay.settle(writes, turn);
    this.#onEnd(null);
    for (const job of batch) job.settle(null);
    return true;
  }

  /** Results that failed together with something that takes space are tried again without it. */
  #failed(batch: readonly Decided[], error: Error): void {
    const mixed = batch.some((job) => job.takesSpace);
    const again = (job: Decided) => job.canWait || (mixed && !job.takesSpace && !job.retried);
    const left = [...batch.filter(again).map((job) => ({ ...job, retried: true })), ...this.#queue];
    const notes = left.filter((job) => job.canWait).length;
    this.overlay.clear();
    this.#durable = this.#store.totals;
    this.#planned = this.#durable;
    this.#queue = [];
    let forget = Math.max(0, notes - MAX_WAITING_NOTES);
    for (const job of left) {
      if (job.canWait && forget-- > 0) continue;
      try {
        this.#decide(job, job.retried);
      } catch (cause) {
        job.settle(cause as Error);
      }
    }
    for (const job of batch) if (!again(job)) job.settle(error);
  }
}

/** The last write of each key: what the batch comes to. */
function lastWrites(batch: readonly Decided[]): Iterable<Write> {
  const last = new Map<string, Write>();
  for (const { writes } of batch) for (const write of writes) last.set(write.id, write);
  return last.values();
}
