// The volume of once.test.ts: a spool that takes its commits one after the other, each when it is told to.
import type { HopId } from '../message/parcel.ts';
import { ModelSpool } from '../spool/model.ts';
import type { Spool, SpoolChange } from '../spool/port.ts';

/** What a question to the outside comes to: done and answered, done and the answer lost, or not done. */
export type Fate = 'done' | 'lost' | 'refused';
/** One question that waits for its answer. */
export interface Waiting {
  readonly go: (fate: Fate, pick: number) => void;
}

/** A volume that takes commits one after the other, when it is told to. */
export class Volume {
  readonly model = new ModelSpool();
  readonly commits: Waiting[] = [];
  readonly #pending: (readonly SpoolChange[])[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  readonly spool = (): Spool => {
    const { model } = this;
    const now = this.#now;
    const entries = () => model.picture().entries;
    const changed = (hopId: HopId) =>
      this.#pending.flat().some((one) => hopOf(one) === hopId && one.kind !== 'put');
    const due = (at: number) => {
      const moving = (hopId: HopId) => model.parcels.get(hopId)?.moving;
      const ready = ({ hopId, recipient }: ReturnType<typeof entries>[number]) =>
        (recipient.dueAt ?? 0) <= at && !moving(hopId) && !changed(hopId);
      return entries().filter(ready);
    };
    return {
      commit: (changes) => this.#commit(changes),
      note: (changes) => changes.forEach((change) => void model.apply(change, now())),
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

  /** What the changes under way will make of an id. */
  #comes(hopId: HopId): 'held' | 'finished' | null {
    const last = this.#pending.flat().findLast((one) => hopOf(one) === hopId);
    return last?.kind === 'put' ? 'held' : last?.kind === 'finished' ? 'finished' : null;
  }

  #commit(changes: readonly SpoolChange[]): Promise<void> {
    this.#pending.push(changes);
    return new Promise((resolve, reject) => {
      const go = (fate: Fate) => {
        this.#pending.splice(this.#pending.indexOf(changes), 1);
        if (fate === 'refused') return reject(new Error('the disk is full'));
        for (const change of changes) this.model.apply(change, this.#now());
        resolve();
      };
      this.commits.push({ go });
    });
  }
}

const hopOf = (change: SpoolChange): HopId => (change.kind === 'put' ? change.parcel.hopId : change.hopId);
