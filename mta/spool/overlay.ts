// What the tables will hold once the changes under way are on the disk. Changes are decided against it, so that a commit
// builds on the ones before it without waiting for them; when one fails, the overlay is thrown away and the rest decided anew.
import type { Totals } from './record.ts';
import type { Table } from './tables.ts';

export type Value = string | Buffer;

/** A write of one commit: null deletes. */
export interface Write {
  /** Table and key in one, by which writes are told apart. */
  readonly id: string;
  readonly table: Table;
  readonly key: string;
  readonly value: Value | null;
}

/** What is stored, for sure. */
export interface Stored {
  get(table: Table, key: string): Value | undefined;
}

const idOf = (table: Table, key: string): string => `${table} ${key}`;

export class Overlay {
  readonly #pending = new Map<string, { readonly value: Value | null; readonly turn: number }>();

  /** The value to come; null: to be deleted; undefined: nothing is under way. */
  peek(table: Table, key: string): Value | null | undefined {
    return this.#pending.get(idOf(table, key))?.value;
  }

  add(writes: readonly Write[], turn: number): void {
    for (const { id, value } of writes) this.#pending.set(id, { value, turn });
  }

  /** The writes of `turn` are in the tables now. */
  settle(writes: readonly Write[], turn: number): void {
    for (const { id } of writes) if (this.#pending.get(id)?.turn === turn) this.#pending.delete(id);
  }

  clear(): void {
    this.#pending.clear();
  }
}

/** The writes of one commit while it is decided: seen by itself, by nobody else until it is added to the overlay. */
export class Draft {
  readonly #stored: Stored;
  readonly #overlay: Overlay;
  readonly #own = new Map<string, Write>();
  totals: Totals;

  constructor(stored: Stored, overlay: Overlay, totals: Totals) {
    this.#stored = stored;
    this.#overlay = overlay;
    this.totals = totals;
  }

  get(table: Table, key: string): Value | undefined {
    const own = this.#own.get(idOf(table, key));
    const pending = own ? own.value : this.#overlay.peek(table, key);
    return pending === undefined ? this.#stored.get(table, key) : (pending ?? undefined);
  }

  set(table: Table, key: string, value: Value | null): void {
    const id = idOf(table, key);
    this.#own.set(id, { id, table, key, value });
  }

  count(change: Partial<Totals>): void {
    const { entries, parcels, bytes, nextBody } = this.totals;
    const left = parcels + (change.parcels ?? 0);
    // In an empty spool nothing is moving, whatever was not counted before.
    const moving = left === 0 ? 0 : this.totals.moving;
    this.totals = {
      entries: entries + (change.entries ?? 0),
      parcels: left,
      bytes: bytes + (change.bytes ?? 0),
      nextBody: nextBody + (change.nextBody ?? 0),
      ...(moving !== undefined && { moving: left === 0 ? 0 : moving + (change.moving ?? 0) }),
    };
  }

  get writes(): readonly Write[] {
    return [...this.#own.values()];
  }
}
