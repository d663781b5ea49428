// The volume of once.test.ts: a spool that takes its commits one after the other, each when it is told to.
import type { HopId } from '../message/parcel.ts';
import { ModelSpool } from '../spool/model.ts';
import type { Spool, SpoolChange } from '../spool/port.ts';

/** What a question to the outside comes to: done and answered, done and the answer lost, or not done. */
export type Fate = 'done' | 'lost' | 'refused';
/** One question that waits for its answer. */
export interface Waiting {
  /** Who asks. */
  readonly of?: object;
  readonly go: (fate: Fate, pick: number) => void;
}

/** A commit under way, or (with `written`) a note that goes with the next. */
interface Job {
  readonly changes: readonly SpoolChange[];
  readonly written?: () => void;
}
const NOTES_AFTER_MS = 1000;

/** A volume that takes commits one after the other, when it is told to. */
export class Volume {
  readonly model = new ModelSpool();
  readonly commits: Waiting[] = [];
  #pending: Job[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** As a process sees it; once that is dead, it changes nothing any more. */
  readonly spool = (isAlive: () => boolean): Spool => {
    const { model } = this;
    const now = this.#now;
    const entries = () => model.picture().entries;
    const changed = (hopId: HopId) => (this.#last(hopId)?.kind ?? 'put') !== 'put';
    const due = (at: number) => {
      const moving = (hopId: HopId) => model.parcels.get(hopId)?.moving;
      const ready = ({ hopId, recipient }: ReturnType<typeof entries>[number]) =>
        (recipient.dueAt ?? 0) <= at && !moving(hopId) && !changed(hopId);
      return entries().filter(ready);
    };
    return {
      commit: (changes) => (isAlive() ? this.#commit(changes) : new Promise(() => {})),
      note: (changes, written) => {
        if (!isAlive()) return;
        this.#pending.push({ changes, written: written ?? (() => {}) });
        setTimeout(() => isAlive() && this.#writeNotes(), NOTES_AFTER_MS);
      },
      pulled: () => model.pulled,
      knows: (hopId) => model.knows(hopId, now()) ?? this.#comes(hopId),
      due: (at, limit, skip) =>
        due(at)
          .filter((entry) => !skip(entry))
          .slice(0, limit),
      duePage: (at) => ({ entries: due(at), place: null }),
      nextDue: () => null,
      parcel: (hopId) => {
        const held = model.parcels.get(hopId);
        return held ? { header: held.parcel, messageBytes: 1, moving: held.moving } : null;
      },
      entriesOf: (hopId) => entries().filter((entry) => entry.hopId === hopId),
      message: (hopId) => model.parcels.get(hopId)?.parcel.message ?? Buffer.alloc(0),
      held: (after) => [...model.parcels.keys()].sort().filter((hopId) => after === null || hopId > after),
      stats: () => ({ ...model.picture().totals, freeBytes: 1, failure: null, id: null }),
      close: async () => {},
    };
  };

  /**
   * Its process is gone: of the commits under way the first so many are on the disk, and nobody has been told. No note is, and no claim: what is
   * on record as acknowledged and not in the memory of the shard yet is what a crash forgets for the next owner, and that is known.
   */
  crash(written: number): void {
    const commits = this.#pending.splice(0).filter((job) => !job.written && !job.changes.every(isClaim));
    for (const { changes } of commits.slice(0, written)) this.#apply(changes);
    this.commits.length = 0;
  }

  /** What the changes under way will make of an id. */
  #comes(hopId: HopId): 'held' | 'finished' | null {
    const kind = this.#last(hopId)?.kind;
    return kind === 'put' ? 'held' : kind === 'finished' ? 'finished' : null;
  }

  /** The last change under way. */
  #last(hopId: HopId): SpoolChange | undefined {
    return this.#pending.flatMap(({ changes }) => changes).findLast((one) => hopOf(one) === hopId);
  }

  #apply(changes: readonly SpoolChange[]): void {
    for (const change of changes) this.model.apply(change, this.#now());
  }

  /** Those with no commit before them. */
  #writeNotes(): void {
    for (let [first] = this.#pending; first?.written; [first] = this.#pending) {
      this.#pending.shift();
      this.#apply(first.changes);
      first.written();
    }
  }

  #commit(changes: readonly SpoolChange[]): Promise<void> {
    const job = { changes };
    this.#pending.push(job);
    return new Promise((resolve, reject) => {
      const go = (fate: Fate) => {
        if (fate !== 'refused') this.#writeNotes();
        this.#pending = this.#pending.filter((one) => one !== job);
        if (fate === 'refused') return reject(new Error('the disk is full'));
        this.#apply(changes);
        resolve();
      };
      this.commits.push({ go });
    });
  }
}

const isClaim = (change: SpoolChange): boolean => change.kind === 'pulled' && change.pulled === null;

/** Of the parcel that it changes. */
function hopOf(change: SpoolChange): HopId | null {
  if (change.kind === 'pulled') return null;
  return change.kind === 'put' ? change.parcel.hopId : change.hopId;
}
