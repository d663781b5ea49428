// The spool on LMDB. Reads see what is stored; `knows` also sees what is under way (see batches.ts).
import type { HopId, Recipient } from '../message/parcel.ts';
import { applyChange, type Circumstances, standingOf } from './apply.ts';
import { Batches } from './batches.ts';
import { CorruptRecordError, SpoolWriteError } from './errors.ts';
import { FinishedMemory } from './finished.ts';
import type { DuePlace, HeldParcel, Pulled, Spool, SpoolChange, SpoolEntry, SpoolStats } from './port.ts';
import {
  acceptedKeyTime,
  decodeBody,
  decodePulled,
  dueEnd,
  dueKeyParts,
  entriesStart,
  entryKey,
  entryKeyParts,
  isEntryKey,
  type ParcelRecord,
  PULLED_RANGE,
  parcelEnd,
  pulledKeyId,
} from './record.ts';
import { Room } from './room.ts';
import { Store } from './store.ts';

export { CorruptRecordError, SpoolFormatError, SpoolWriteError } from './errors.ts';

export interface SpoolOptions {
  /** ms since the epoch. */
  readonly clock?: () => number;
  /** Kept free for results: parcels are refused while less than this is free. */
  readonly reserveBytes?: number;
}

const NOTES_AFTER_MS = 1000;
const NOTES_AT_ONCE = 2000;
const UPKEEP_EVERY_MS = 5000;

/**
 * Opens the spool in the folder `dir`, which is made if need be. One process at a time may have it open.
 * @throws SpoolFormatError when a newer release wrote it; SpoolWriteError when the folder cannot be used.
 */
export async function openSpool(dir: string, options: SpoolOptions = {}): Promise<LmdbSpool> {
  const { clock = Date.now, reserveBytes = 64 * 1024 * 1024 } = options;
  return new LmdbSpool(Store.open(dir), clock, reserveBytes);
}

export class LmdbSpool implements Spool {
  readonly #store: Store;
  readonly #clock: () => number;
  readonly #room: Room;
  readonly #batches: Batches;
  readonly #memory: FinishedMemory;
  readonly #id: string | null;
  readonly #upkeepTimer: NodeJS.Timeout;
  #notesTimer: NodeJS.Timeout | null = null;
  #writeFailure: string | null = null;
  #closed = false;

  constructor(store: Store, clock: () => number, reserveBytes: number) {
    this.#store = store;
    this.#id = store.id;
    this.#clock = clock;
    this.#room = new Room(store, reserveBytes);
    this.#memory = new FinishedMemory(store);
    this.#batches = new Batches(store, (error) => {
      this.#writeFailure = error?.message ?? null;
      this.#room.refreshSoon();
    });
    this.#upkeepTimer = setInterval(() => void this.upkeep(), UPKEEP_EVERY_MS).unref();
  }

  async commit(changes: readonly SpoolChange[]): Promise<void> {
    if (this.#closed) throw new SpoolWriteError(this.#store.path, 'it is closed');
    const takesSpace = this.#takeRoom(changes);
    await new Promise<void>((resolve, reject) => {
      this.#batches.add({
        decide: (draft) => this.#apply(draft, changes),
        takesSpace,
        canWait: false,
        settle: (error) => (error ? reject(error) : resolve()),
      });
    });
  }

  note(changes: readonly SpoolChange[], written: () => void = () => {}): void {
    if (this.#closed) return;
    this.#batches.add({
      decide: (draft) => this.#apply(draft, changes),
      takesSpace: false,
      canWait: true,
      settle: (error) => error === null && written(),
    });
    if (this.#batches.waitingNotes >= NOTES_AT_ONCE) void this.#batches.flush();
    else this.#notesTimer ??= setTimeout(() => this.#flushNotes(), NOTES_AFTER_MS).unref();
  }

  knows(hopId: HopId): 'held' | 'finished' | null {
    return standingOf(this.#batches.look(), hopId, this.#now());
  }

  pulled(): ReadonlyMap<HopId, Pulled> {
    const found = new Map<HopId, Pulled>();
    for (const key of this.#store.keys('meta', ...PULLED_RANGE))
      found.set(pulledKeyId(key), decodePulled(String(this.#store.get('meta', key))));
    return found;
  }

  due(now: number, limit: number, skip: (entry: SpoolEntry) => boolean): readonly SpoolEntry[] {
    const found: SpoolEntry[] = [];
    for (const key of limit > 0 ? this.#store.keys('due', '0', dueEnd(now)) : []) {
      // What is under way has left this place in the order, or is about to.
      if (this.#batches.overlay.peek('due', key) === null) continue;
      const { hopId, index } = dueKeyParts(key);
      const entry = this.#entry(hopId, index);
      if (!entry || skip(entry)) continue;
      found.push(entry);
      if (found.length >= limit) break;
    }
    return found;
  }

  duePage(now: number, after: DuePlace | null, limit: number) {
    const entries: SpoolEntry[] = [];
    let seen = 0;
    for (const key of this.#store.keys('due', after ?? '0', dueEnd(now))) {
      if (key === after) continue;
      const { hopId, index } = dueKeyParts(key);
      const entry = this.#batches.overlay.peek('due', key) === null ? null : this.#entry(hopId, index);
      if (entry) entries.push(entry);
      if (++seen >= limit) return { entries, place: key as DuePlace };
    }
    return { entries, place: null };
  }

  nextDue(now: number): number | null {
    for (const key of this.#store.keys('due', dueEnd(now))) return dueKeyParts(key).dueAt;
    return null;
  }

  parcel(hopId: HopId): HeldParcel | null {
    return this.#record(hopId)?.held ?? null;
  }

  entriesOf(hopId: HopId): readonly SpoolEntry[] {
    const keys = [...this.#store.keys('parcels', entriesStart(hopId), parcelEnd(hopId))];
    return keys.flatMap((key) => this.#entry(hopId, entryKeyParts(key).index) ?? []);
  }

  message(hopId: HopId): Buffer {
    const record = this.#record(hopId);
    const bytes = record ? this.#store.get('bodies', record.body) : undefined;
    const decoded = bytes ? decodeBody(bytes as Buffer) : { fault: 'there is no message' };
    if ('message' in decoded) return decoded.message;
    throw new CorruptRecordError(this.#store.path, hopId, decoded.fault);
  }

  held(after: HopId | null, limit: number): readonly HopId[] {
    const found: HopId[] = [];
    for (const key of limit > 0 ? this.#store.keys('parcels', after === null ? '0' : parcelEnd(after)) : []) {
      if (isEntryKey(key)) continue;
      found.push(key as HopId);
      if (found.length >= limit) break;
    }
    return found;
  }

  stats(): SpoolStats {
    const { entries, parcels, moving = null, bytes } = this.#batches.durable;
    const failure = this.#writeFailure ?? this.#room.shortage();
    return {
      id: this.#id,
      entries,
      parcels,
      moving,
      bytes,
      freeBytes: this.#room.freeBytes,
      oldestAcceptedAt: this.#oldest(),
      failure,
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#upkeepTimer);
    if (this.#notesTimer) clearTimeout(this.#notesTimer);
    await this.#batches.flush();
    await this.#store.close();
  }

  /** One step of what runs in the background: forget finished ids that are older than 24 h, try again what failed. */
  async upkeep(): Promise<void> {
    if (this.#closed) return;
    this.#room.refresh();
    const expired = this.#memory.expired(this.#clock());
    if (expired.length === 0 && this.#writeFailure === null && !this.#store.isMapLarge()) return;
    // With nothing to forget this writes the totals again: the probe that finds out that writing works again, and what takes the pages
    // off that were only read.
    const done = await new Promise<boolean>((resolve) => {
      this.#batches.add({
        decide: (draft) => {
          for (const key of expired) draft.set('finished', key, null);
        },
        takesSpace: false,
        canWait: false,
        settle: (error) => resolve(error === null),
      });
    });
    if (done && this.#memory.isFullStep(expired)) setImmediate(() => void this.upkeep());
  }

  #now(): Circumstances {
    return { now: this.#clock(), stretches: this.#memory.stretches };
  }

  #apply(draft: Parameters<typeof applyChange>[0], changes: readonly SpoolChange[]): void {
    const at = this.#now();
    for (const change of changes) applyChange(draft, change, at);
  }

  /** Whether the changes take space: parcels that are new do. Throws when there is none left for them. */
  #takeRoom(changes: readonly SpoolChange[]): boolean {
    const bytes = changes.reduce((sum, change) => sum + this.#newBytes(change), 0);
    if (bytes > 0) this.#room.take(bytes);
    return bytes > 0;
  }

  #newBytes(change: SpoolChange): number {
    return change.kind === 'put' && this.knows(change.parcel.hopId) === null ? putBytes(change) : 0;
  }

  #flushNotes(): void {
    this.#notesTimer = null;
    void this.#batches.flush();
  }

  #oldest(): number | null {
    for (const key of this.#store.keys('accepted', '0')) return acceptedKeyTime(key);
    return null;
  }

  #record(hopId: HopId): ParcelRecord | null {
    const json = this.#store.get('parcels', hopId);
    return json === undefined ? null : this.#parse<ParcelRecord>(hopId, json as string);
  }

  #entry(hopId: HopId, index: number): SpoolEntry | null {
    const json = this.#store.get('parcels', entryKey(hopId, index));
    return json === undefined
      ? null
      : { hopId, index, recipient: this.#parse<Recipient>(hopId, json as string) };
  }

  #parse<T>(hopId: HopId, json: string): T {
    try {
      return JSON.parse(json) as T;
    } catch (cause) {
      throw new CorruptRecordError(this.#store.path, hopId, 'it cannot be read', cause);
    }
  }
}

/** What a parcel takes on the disk, roughly: its pages, and those of the tables it stands in. */
function putBytes({ parcel }: Extract<SpoolChange, { kind: 'put' }>): number {
  return parcel.message.length + 4096 + parcel.recipients.length * 512;
}
