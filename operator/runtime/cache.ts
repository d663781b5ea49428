// What a reflector knows: objects by key, and by indexes such as an owner's UID. Changes are returned, not announced.
import { type Key, type KubeObject, keyOf } from './objects.ts';

/** From one object to the values under which `byIndex` finds it. */
export type Indexer<T> = (object: T) => readonly string[];

export interface Change<T> {
  readonly key: Key;
  readonly before: T | undefined;
  readonly after: T | undefined;
}

export class Cache<T extends KubeObject> {
  readonly #objects = new Map<Key, T>();
  readonly #indexers: readonly (readonly [string, Indexer<T>])[];
  /** index → value → keys */
  readonly #index = new Map<string, Map<string, Set<Key>>>();

  constructor(indexers: Readonly<Record<string, Indexer<T>>> = {}) {
    this.#indexers = Object.entries(indexers);
    for (const [name] of this.#indexers) this.#index.set(name, new Map());
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: Key): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  keys(): readonly Key[] {
    return [...this.#objects.keys()];
  }

  /** @throws RangeError when there is no such index */
  byIndex(index: string, value: string): readonly T[] {
    const values = this.#index.get(index);
    if (!values) throw new RangeError(`no index ${index}`);
    return [...(values.get(value) ?? [])]
      .map((key) => this.#objects.get(key))
      .filter((found) => found !== undefined);
  }

  put(object: T): Change<T> {
    return this.#set(keyOf(object.metadata), object);
  }

  remove(key: Key): Change<T> {
    return this.#set(key, undefined);
  }

  /** Takes `objects` as the whole truth; returns what differs, deletions too. */
  replace(objects: readonly T[]): readonly Change<T>[] {
    const present = new Set(objects.map(({ metadata }) => keyOf(metadata)));
    const gone = this.keys().filter((key) => !present.has(key));
    return [...gone.map((key) => this.remove(key)), ...objects.map((object) => this.put(object))].filter(
      differs,
    );
  }

  #set(key: Key, after: T | undefined): Change<T> {
    const before = this.#objects.get(key);
    if (before) this.#reindex(before, (keys) => keys.delete(key));
    if (after) this.#reindex(after, (keys) => keys.add(key));
    if (after) this.#objects.set(key, after);
    else this.#objects.delete(key);
    return { key, before, after };
  }

  #reindex(object: T, change: (keys: Set<Key>) => void): void {
    for (const [name, indexer] of this.#indexers) {
      const values = this.#index.get(name);
      for (const value of indexer(object)) {
        const keys = values?.get(value) ?? new Set();
        change(keys);
        if (keys.size) values?.set(value, keys);
        else values?.delete(value);
      }
    }
  }
}

const differs = <T extends KubeObject>({ before, after }: Change<T>): boolean =>
  before?.metadata.uid !== after?.metadata.uid ||
  before?.metadata.resourceVersion !== after?.metadata.resourceVersion;

/** Index by the UIDs of owners: children are chosen by UID, never by name (operators of six projects lost data on that). */
export const ownerUids = (object: KubeObject): readonly string[] =>
  (object.metadata.ownerReferences ?? []).map(({ uid }) => uid);
