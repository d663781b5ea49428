// The record of what is counted at a provider, by the provider's name, through changes of that name. A policy may give a site a name, another one
// later, and take it away; none of that opens a fresh budget. The record under the site's own name says under which the counting has gone
// on (`continuedAs`), from before the first record under that is written; whoever begins reads all three and takes the strictest.
import type { NamesNow } from './names.ts';
import { type RecordPlace, type RecordStore, recordStore } from './record_store.ts';

export interface Named {
  readonly provider: string;
  /** The name that a policy gave the provider afterwards: the record goes on under that. */
  readonly continuedAs?: string;
}

export interface NamedPlace<T> extends Omit<RecordPlace, 'key'> {
  readonly keyOf: (provider: string) => string;
  readonly provider: string;
  readonly names: NamesNow;
  /** One record that leaves no more than either. */
  readonly strictest: (one: T, other: T, now: number) => T;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** A bucket may forget what was not written for days: what stands under a site's name is said again. */
const SAY_AGAIN_MS = 3_600_000;

export function namedStore<T extends Named>(place: NamedPlace<T>): RecordStore<T> {
  const { provider, names, strictest } = place;
  const unnamed = names.site(provider);
  const under = (name: string) => recordStore<T>({ ...place, key: place.keyOf(name) });
  const [own, site] = [under(provider), under(unnamed)];
  const isNamed = provider !== unnamed;
  let saidAt = Number.NEGATIVE_INFINITY;
  const say = async (record: T) => {
    // What is still to be written under a name of before must not call itself the latest.
    if (!isNamed || names.name(unnamed) !== provider || performance.now() - saidAt < SAY_AGAIN_MS) return;
    const { record: before, revision } = await site.read();
    const all = before ? strictest(record, before, place.now()) : record;
    await site.write({ ...all, provider: unnamed, continuedAs: provider }, revision);
    saidAt = performance.now();
  };
  return {
    async read() {
      const { record, revision } = await own.read();
      const before = isNamed ? (await site.read()).record : null;
      const last = (isNamed ? before : record)?.continuedAs;
      const latest = last === undefined || last === provider ? null : (await under(last).read()).record;
      const known = [record, before, latest].filter((one) => one !== null);
      if (known.length === 0) return { record: null, revision };
      const { continuedAs, ...all } = known.reduce((one, other) => strictest(one, other, place.now()));
      return { record: { ...all, provider } as T, revision };
    },
    async write(record, revision) {
      await say(record);
      return own.write(record, revision);
    },
  };
}
