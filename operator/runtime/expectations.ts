// Why: a cache is always a little behind. A controller that has just lowered replicas and looks at its cache again sees the old
// number, and lowers once more; six stateful operators lost data that way. So each write is noted here, and the object is not
// acted on again before the cache shows the write. Deciding by values that are read live does not need this.
import { type Clock, systemClock } from './clock.ts';
import { atLeastVersion, type Key, type KubeObject, keyOf } from './objects.ts';

interface View {
  readonly cache: { get(key: Key): KubeObject | undefined };
  hasSeen(resourceVersion: string): boolean;
}

type Expected =
  | {
      readonly kind: 'written';
      readonly version: string;
      readonly uid: string | undefined;
      readonly at: number;
    }
  | { readonly kind: 'deleted'; readonly uid: string | undefined; readonly at: number };

/** A write that never shows (the watch does not select the object) is given up after this long. */
const GIVE_UP_MS = 5 * 60_000;

export class Expectations {
  readonly #view: View;
  readonly #clock: Clock;
  readonly #expected = new Map<Key, Expected>();

  /** @param view the reflector whose cache the decisions are made from */
  constructor(view: View, clock: Clock = systemClock) {
    this.#view = view;
    this.#clock = clock;
  }

  /** Notes the answer to a create, update or patch. */
  written({ metadata }: KubeObject): void {
    const { uid, resourceVersion: version = '' } = metadata;
    this.#expected.set(keyOf(metadata), { kind: 'written', version, uid, at: this.#clock.monotonic() });
  }

  /** Notes that the deletion of this incarnation was accepted. */
  deleted({ metadata }: KubeObject): void {
    this.#expected.set(keyOf(metadata), { kind: 'deleted', uid: metadata.uid, at: this.#clock.monotonic() });
  }

  /** Whether the cache shows every noted write to this object. */
  satisfied(key: Key): boolean {
    const expected = this.#expected.get(key);
    if (!expected) return true;
    const over = this.#clock.monotonic() - expected.at > GIVE_UP_MS;
    if (!over && !this.#shows(key, expected)) return false;
    this.#expected.delete(key);
    return true;
  }

  #shows(key: Key, expected: Expected): boolean {
    const found = this.#view.cache.get(key)?.metadata;
    if (expected.kind === 'deleted')
      return found?.uid !== expected.uid || found?.deletionTimestamp !== undefined;
    if (this.#view.hasSeen(expected.version)) return true;
    return found?.uid === expected.uid && atLeastVersion(found?.resourceVersion ?? '', expected.version);
  }
}
