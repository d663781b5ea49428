import { bucketInMemory } from './bucket.fixture.ts';
import { type Named, namedStore } from './named_store.ts';
import { Names } from './names.ts';

interface Used extends Named {
  readonly used: number;
}

/** One holder after the other, each with what it has seen of the names. */
function fleet() {
  const { values, kv } = bucketInMemory();
  const store = (provider: string, names: Names) =>
    namedStore<Used>({
      bucket: async () => kv,
      keyOf: (name) => name,
      ...{ provider, names, obstacle: () => null },
      now: () => 0,
      strictest: (one, other) => (other.used > one.used ? other : one),
      conflict: () => new Error('conflict'),
    });
  /** A holder that is asked for `site` under `provider` reads, and counts one more. */
  const use = async (site: string, provider: string, names = new Names()) => {
    names.note(site, provider);
    const one = store(provider, names);
    const { record, revision } = await one.read();
    await one.write({ provider, used: (record?.used ?? 0) + 1 }, revision);
    return record?.used ?? 0;
  };
  return { values, store, use };
}

const SITE = 'a.test';

test.each<[string, readonly string[]]>([
  ['is not named', [SITE, SITE]],
  ['gets a name', [SITE, 'big', 'big']],
  ['gets another', [SITE, 'big', 'huge', 'large']],
  ['has one from the beginning, and gets another', ['big', 'huge', 'large']],
  ['has its name taken away', [SITE, 'big', SITE]],
  ['has it taken away that it had from the beginning', ['big', SITE, 'big']],
  ['goes back and forth', [SITE, 'big', 'huge', 'big', SITE, 'huge', SITE, 'big']],
])('a site that %s: nothing that was used is forgotten', async (_, names) => {
  const { use } = fleet();
  const before: number[] = [];
  for (const name of names) before.push(await use(SITE, name));
  expect(before).toEqual(names.map((_name, n) => n));
});

test('of several sites under a name the one that was counted goes on, whichever is asked for next', async () => {
  const { use } = fleet();
  await use('a.test', 'a.test');
  expect(await use('b.test', 'big')).toBe(0);
  expect(await use('a.test', 'big')).toBe(1);
  expect(await use('b.test', 'big')).toBe(2);
  expect(await use('a.test', 'huge')).toBe(3);
  expect(await use('b.test', 'large')).toBe(3);
});

test('a crash between the word under the site and the first record: what was before counts', async () => {
  const { values, use } = fleet();
  await use(SITE, SITE);
  await use(SITE, 'big');
  values.delete('big');
  expect(await use(SITE, 'big')).toBe(2);
});

test('what is still written under a name of before does not call itself the latest', async () => {
  const { store, use } = fleet();
  const names = new Names();
  await use(SITE, 'big', names);
  const late = store('big', names);
  const { record, revision } = await late.read();
  await use(SITE, 'huge', names);
  await late.write({ provider: 'big', used: record?.used ?? 0 }, revision);
  expect(await use(SITE, 'large')).toBe(2);
});

test('a record says nothing of another name but under the site', async () => {
  const { values, store, use } = fleet();
  await use(SITE, 'big');
  expect(JSON.parse(values.get(SITE)?.text ?? '')).toEqual({ provider: SITE, used: 1, continuedAs: 'big' });
  expect((await store(SITE, new Names()).read()).record).toEqual({ provider: SITE, used: 1 });
});
