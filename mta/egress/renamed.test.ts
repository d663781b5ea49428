// What has been used of a limit and of a warm-up day stays used, whatever the policy calls the provider, by one holder and the next.
import { warmupSpec } from '../../resources/warmup.ts';
import { bucketInMemory } from './bucket.fixture.ts';
import { Limiter } from './limits/limiter.ts';
import { pairStore } from './limits/store.ts';
import { Names } from './names.ts';
import { ledgerStore } from './warmup/store.ts';
import { Warmup } from './warmup/warmup.ts';

const ADDRESS = '192.0.2.1';
const SITE = 'a.test';
const NOW = Date.UTC(2026, 10, 1, 12);
const now = () => NOW;
const warn = (error: unknown) => {
  throw error;
};
const [ALLOWANCE, DAYS_LIMIT] = [6, 6];

/** One holder: sends one mail to the site under a name, if it may. */
type Holder = (name: string) => Promise<boolean>;

type Kv = ReturnType<typeof bucketInMemory>['kv'];

/** What the stores of limits and of warm-up have in common: a bucket, nothing in the way, the time, and the names. */
const over =
  <Store>(
    make: (
      kv: () => Promise<Kv>,
      obstacle: () => null,
      ...of: [string, string, () => number, Names]
    ) => Store,
    kv: Kv,
    names: Names,
  ) =>
  (address: string, provider: string): Store =>
    make(
      async () => kv,
      () => null,
      address,
      provider,
      now,
      names,
    );

function limited(): () => Holder {
  const { kv } = bucketInMemory();
  const limits = {
    ...{ connections: 9, messagesPerConnection: 9, attemptsPerMinute: null },
    messages: { day: DAYS_LIMIT },
  };
  let epoch = 0;
  return () => {
    const names = new Names();
    const store = over(pairStore, kv, names);
    const clock = { now: () => 0, after: () => () => {} };
    const limiter = new Limiter({ uid: 'e', clock, wallNow: now, store, warn });
    const held = ++epoch;
    return async (provider) => {
      if (names.note(SITE, provider)) limiter.forget(provider);
      for (;;) {
        const tell = { onDone: () => {}, onEnd: () => {} };
        const ask = {
          pod: 'p',
          account: 'a',
          address: ADDRESS,
          provider,
          want: 1,
          limits,
          epoch: held,
          ...tell,
        };
        const asked = limiter.ask(ask);
        if (asked.verdict === 'wait') await asked.until;
        else {
          if (asked.verdict !== 'granted') return false;
          asked.handle.dialled('connected');
          asked.handle.closed();
          return true;
        }
      }
    };
  };
}

function warming(): () => Holder {
  const { kv } = bucketInMemory();
  const steps = [{ day: 1, perDay: ALLOWANCE }];
  const schedules = { default: steps, [SITE]: steps, big: steps, huge: steps };
  const ipPool = { addresses: [{ address: ADDRESS }], warmup: warmupSpec.parse({ schedules }) };
  return () => {
    const names = new Names();
    const store = over(ledgerStore, kv, names);
    const warmup = new Warmup({ ipPool: () => ipPool, store, now, warn });
    return async (provider) => {
      if (names.note(SITE, provider)) warmup.forget(provider);
      if (warmup.room(ADDRESS, provider).kind === 'Reserve') await warmup.reserve(ADDRESS, provider);
      const claim = warmup.claim(ADDRESS, provider, 1);
      claim?.end();
      warmup.tick();
      await new Promise((resolve) => setImmediate(resolve));
      return claim !== null;
    };
  };
}

describe.each([
  ['of a limit of a day', limited, DAYS_LIMIT],
  ['of a warm-up day', warming, ALLOWANCE],
])('%s', (_, world, limit) => {
  test.each<[string, readonly string[]]>([
    ['the site is not named', [SITE]],
    ['it gets a name', [SITE, 'big']],
    ['it gets another', [SITE, 'big', 'huge']],
    ['its name is taken away', ['big', SITE]],
    ['it gets an earlier name again', ['big', 'huge', 'big']],
    ['names come and go', [SITE, 'big', SITE, 'huge', 'big', SITE]],
  ])(
    '%s: by one holder, and by one after the other, no more is sent than under one name',
    async (_names, names) => {
      for (const isOne of [true, false]) {
        const next = world();
        let holder = next();
        let sent = 0;
        for (let turn = 0; turn < 2 * limit; turn++) {
          if (!isOne && turn > 0) holder = next();
          if (await holder(names[turn % names.length] as string)) sent++;
        }
        expect(sent).toBeLessThanOrEqual(limit);
        // What was reserved and not used under one name counts under the next: with names that change at each mail that is a good part.
        expect(sent).toBeGreaterThanOrEqual(isOne && names.length === 1 ? limit : 2);
      }
    },
  );
});
