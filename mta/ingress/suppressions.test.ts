import { log } from '../../process/log.ts';
import { type Pair, Suppressions } from './suppressions.ts';

/** Answers when told to; suppressed is whoever is called bad. */
function scripted() {
  const asked: { pairs: readonly Pair[]; answer: () => void; fail: () => void }[] = [];
  const ask = (pairs: readonly Pair[]) =>
    new Promise<readonly boolean[]>((resolve, reject) => {
      const answer = () => resolve(pairs.map(({ address }) => address.startsWith('bad')));
      asked.push({ pairs, answer, fail: () => reject(new Error('gone')) });
    });
  return { asked, ask };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('asks at once, and what comes meanwhile together', async () => {
  const { asked, ask } = scripted();
  const suppressions = new Suppressions(ask, log);
  const first = suppressions.check('a', ['one@x.test']);
  expect(asked).toHaveLength(1);
  const second = suppressions.check('a', ['bad@x.test', 'two@x.test']);
  const third = suppressions.check('b', ['three@x.test', 'bad@y.test']);
  expect(asked).toHaveLength(1);
  asked[0]?.answer();
  expect(await first).toEqual(new Set());
  await turn();
  expect(asked).toHaveLength(2);
  expect(asked[1]?.pairs).toEqual([
    { account: 'a', address: 'bad@x.test' },
    { account: 'a', address: 'two@x.test' },
    { account: 'b', address: 'three@x.test' },
    { account: 'b', address: 'bad@y.test' },
  ]);
  asked[1]?.answer();
  expect(await second).toEqual(new Set(['bad@x.test']));
  expect(await third).toEqual(new Set(['bad@y.test']));
});

test('after a failure nobody waits for the database for a while', async () => {
  let now = 0;
  const { asked, ask } = scripted();
  const suppressions = new Suppressions(ask, log, () => now);
  const [first, second] = [suppressions.check('a', ['bad@x.test']), suppressions.check('a', ['bad@y.test'])];
  asked[0]?.fail();
  expect([await first, await second]).toEqual([null, null]);
  expect(await suppressions.check('a', ['bad@z.test'])).toBeNull();
  expect(asked).toHaveLength(1);
  now = 2000;
  const later = suppressions.check('a', ['bad@z.test']);
  asked[1]?.answer();
  expect(await later).toEqual(new Set(['bad@z.test']));
});
