// The tables with what LMDB leaves to its caller: one transaction at a time, errors with their cause, and a fresh start after
// each failed one. The fresh start is not optional: when writing a meta page failed, LMDB refuses all further transactions
// (MDB_PANIC), on which lmdb-js 3.5 waits for ever.
import { closeSync, fsyncSync, openSync, readFileSync, statfsSync } from 'node:fs';
import { SpoolFormatError, SpoolWriteError } from './errors.ts';
import type { Stored, Value, Write } from './overlay.ts';
import { encodeJson, NO_TOTALS, type Totals } from './record.ts';
import { openTables, reusableBytes, type Table, type Tables } from './tables.ts';

/** Pages of the file that were read stay mapped and count as the pod's memory; beyond this the map is taken anew. */
const REMAP_BYTES = 32 * 1024 * 1024;

export class Store implements Stored {
  readonly path: string;
  #tables: Tables | null;
  #readOnly = false;
  #mappedAtOpen = mappedBytes();

  private constructor(path: string, tables: Tables) {
    this.path = path;
    this.#tables = tables;
  }

  /** @throws SpoolFormatError, or SpoolWriteError with the cause when the folder cannot be used. */
  static open(path: string): Store {
    try {
      const store = new Store(path, openTables(path, mapBytes(path), false));
      // A new file is durable only when its folder is.
      const folder = openSync(path, 'r');
      fsyncSync(folder);
      closeSync(folder);
      return store;
    } catch (error) {
      if (error instanceof SpoolFormatError) throw error;
      throw new SpoolWriteError(path, reasonOf(error), error);
    }
  }

  get(table: Table, key: string): Value | undefined {
    const { text, bodies } = this.#opened;
    if (table !== 'bodies') return text[table].get(key);
    return bodies.getBinary(key);
  }

  /** Keys of a table from `start` on, before `end`. Read to the end or leave early; nothing stays open. */
  keys(table: Exclude<Table, 'bodies'>, start: string, end?: string): Iterable<string> {
    const range = end === undefined ? { start } : { start, end };
    return this.#opened.text[table].getKeys(range) as Iterable<string>;
  }

  get totals(): Totals {
    const json = this.#opened.text.meta.get('totals');
    return json === undefined ? NO_TOTALS : (JSON.parse(json) as Totals);
  }

  /** Of the spool on this volume; null: it could not be written yet. */
  get id(): string | null {
    return this.#opened.text.meta.get('id') ?? null;
  }

  /** Bytes that can still be written: free on the volume, and free inside the file. */
  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize + (this.#tables ? reusableBytes(this.#tables) : 0);
  }

  /** Makes writes durable in one transaction, or none of them. Never called while another is under way. */
  async write(writes: Iterable<Write>, totals: Totals): Promise<void> {
    if (this.#readOnly || this.#tables === null || this.isMapLarge()) await this.reopen();
    if (this.#readOnly) throw new SpoolWriteError(this.path, 'it can only be opened for reading');
    const { root, text, bodies } = this.#opened;
    try {
      await root.batch(() => {
        for (const { table, key, value } of writes) {
          if (value === null) (table === 'bodies' ? bodies : text[table]).remove(key);
          else if (table === 'bodies') bodies.put(key, value as Buffer);
          else text[table].put(key, value as string);
        }
        text.meta.put('totals', encodeJson(totals));
      });
    } catch (error) {
      const cause = await causeOf(error);
      await this.#openAnew();
      throw new SpoolWriteError(this.path, reasonOf(cause), cause);
    }
  }

  /**
   * Closes and opens in one step, between which nothing else runs. lmdb-js closes in a few promises' time, and whoever waited for a
   * promise before us would read from what is half closed: so it begins in a turn of the event loop of its own, in which nobody waits.
   */
  async reopen(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    await this.#openAnew();
  }

  /**
   * Right after a failed write this must begin at once, for closing takes up the rejections that lmdb-js leaves behind. For reading only
   * when it cannot be opened for writing.
   */
  #openAnew(): Promise<void> {
    const tables = this.#tables;
    // A read that comes in between all the same fails; lmdb-js would fail in a timer besides.
    this.#tables = null;
    return new Promise((resolve) => {
      const open = () => {
        this.#mappedAtOpen = mappedBytes();
        this.#tables = this.#tryOpen(false) ?? this.#tryOpen(true);
        resolve();
      };
      if (tables === null) open();
      else closeThen(tables, open);
    });
  }

  async close(): Promise<void> {
    await this.#tables?.root.close();
    this.#tables = null;
  }

  /** So many pages are mapped that the next write takes them off. */
  isMapLarge(): boolean {
    return mappedBytes() - this.#mappedAtOpen > REMAP_BYTES;
  }

  #tryOpen(readOnly: boolean): Tables | null {
    this.#readOnly = readOnly;
    try {
      return openTables(this.path, mapBytes(this.path), readOnly);
    } catch {
      return null;
    }
  }

  get #opened(): Tables {
    if (this.#tables === null) throw new SpoolWriteError(this.path, 'it is closed or cannot be opened');
    return this.#tables;
  }
}

/** lmdb-js calls this back in the very step in which it has closed; its type leaves the parameter out. */
const closeThen = ({ root }: Tables, then: () => void): void => {
  (root.close as (callback: () => void) => unknown).call(root, then);
};

/** The file can grow as large as its volume; the map costs address space only. */
function mapBytes(path: string): number {
  try {
    const { blocks, bsize } = statfsSync(path);
    return Math.max(2 ** 30, Math.ceil((blocks * bsize) / 2 ** 20) * 2 ** 20);
  } catch {
    return 2 ** 34;
  }
}

/** lmdb-js rejects with "see commitError", a promise of what really happened. */
async function causeOf(error: unknown): Promise<unknown> {
  const commitError = (error as { commitError?: Promise<unknown> }).commitError;
  return commitError ? commitError.then(() => error).catch((cause: unknown) => cause) : error;
}

/** File pages mapped by this process, in bytes (proc(5), statm: shared); 0 where there is no /proc. */
function mappedBytes(): number {
  try {
    return Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[2]) * 4096;
  } catch {
    return 0;
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
