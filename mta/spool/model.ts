// The spool as one would write it without a disk: what the tests compare the real one with.
import type { HopId, Parcel, Recipient } from '../message/parcel.ts';
import type { HeldParcel, Pulled, SpoolChange } from './port.ts';

interface Held {
  readonly parcel: Parcel;
  readonly entries: Map<number, Recipient>;
  moving: HeldParcel['moving'];
}
const DAY_MS = 24 * 3600_000;

export class ModelSpool {
  readonly parcels = new Map<HopId, Held>();
  readonly finished = new Map<HopId, number>();
  readonly pulled = new Map<HopId, Pulled>();

  knows(hopId: HopId, now: number): 'held' | 'finished' | null {
    if (this.parcels.has(hopId)) return 'held';
    const at = this.finished.get(hopId);
    return at !== undefined && now - at < DAY_MS ? 'finished' : null;
  }

  apply(change: SpoolChange, now: number): void {
    if (change.kind === 'pulled') {
      if (change.pulled) this.pulled.set(change.id, change.pulled);
      else this.pulled.delete(change.id);
      return;
    }
    const hopId = change.kind === 'put' ? change.parcel.hopId : change.hopId;
    const held = this.parcels.get(hopId);
    if (change.kind === 'put') {
      if (this.knows(hopId, now)) return;
      // A parcel without recipients has nothing to wait for.
      if (change.parcel.recipients.length === 0) {
        this.finished.set(hopId, now);
        return;
      }
      const entries = new Map(change.parcel.recipients.entries());
      this.parcels.set(hopId, { parcel: change.parcel, entries, moving: null });
    } else if (change.kind === 'finished') {
      if (!this.knows(hopId, now)) this.finished.set(hopId, change.at);
    } else if (!held) return;
    else if (change.kind === 'giveBack') this.parcels.delete(hopId);
    else if (change.kind === 'moving') held.moving = change.to;
    else if (change.kind === 'update') {
      if (!held.moving && held.entries.has(change.index)) held.entries.set(change.index, change.recipient);
    } else if (held.entries.delete(change.index) && held.entries.size === 0) {
      this.parcels.delete(hopId);
      this.finished.set(hopId, now);
    }
  }

  /** Everything that can be seen of a spool, in one comparable form. */
  picture() {
    const held = [...this.parcels].sort(([a], [b]) => (a < b ? -1 : 1));
    const entries = held.flatMap(([hopId, { entries, moving }]) =>
      [...entries]
        .sort(([a], [b]) => a - b)
        .map(([index, recipient]) => ({ hopId, index, recipient, moving })),
    );
    return {
      held: held.map(([hopId, { parcel, moving }]) => ({
        hopId,
        message: parcel.message.toString(),
        moving,
      })),
      entries: entries.map(({ hopId, index, recipient }) => ({ hopId, index, recipient })),
      due: entries
        .filter(({ moving }) => moving === null)
        .sort((a, b) => (a.recipient.dueAt ?? 0) - (b.recipient.dueAt ?? 0))
        .map(({ hopId, index }) => `${hopId} ${index}`),
      pulled: [...this.pulled].sort(([a], [b]) => (a < b ? -1 : 1)),
      totals: {
        parcels: held.length,
        moving: held.filter(([, { moving }]) => moving !== null).length,
        entries: entries.length,
        bytes: held.reduce((sum, [, { parcel }]) => sum + parcel.message.length, 0),
        oldestAcceptedAt: held.length ? Math.min(...held.map(([, { parcel }]) => parcel.acceptedAt)) : null,
      },
    };
  }
}
