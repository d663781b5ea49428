import fc from 'fast-check';
import { LONGEST_CONNECTION_MS } from '../../mta/bus/connect.ts';
import { type Formers, formersAfter } from './formers.ts';

const NOW = Date.UTC(2026, 10, 1);
const MINUTE = 60_000;
const lost = (uid: string, minutesAgo: number) => ({ uid, at: NOW - minutesAgo * MINUTE });
const unstated = (uid: string, minutesAgo: number) => ({ ...lost(uid, minutesAgo), stated: false });
const owner = { pod: 'p', uid: 'b', node: 'n' };
const B = unstated('b', 0);

describe('the owner is lost, and before it', () => {
  test.each<[string, Formers, readonly object[] | undefined]>([
    ['nobody was', { former: null }, undefined],
    ['one stated that it holds nothing', { former: { uid: 'a', stated: true } }, undefined],
    ['one was lost a minute ago', { former: unstated('a', 1) }, [lost('a', 1)]],
    ['one was lost thirteen minutes ago', { former: unstated('a', 13) }, undefined],
    ['one was lost, nobody says when', { former: { uid: 'a', stated: false } }, [lost('a', 0)]],
    [
      'two were lost',
      { former: unstated('a', 2), lostBefore: [lost('z', 12)] },
      [lost('z', 12), lost('a', 2)],
    ],
    [
      'two were lost, one long ago',
      { former: unstated('a', 2), lostBefore: [lost('z', 14)] },
      [lost('a', 2)],
    ],
    ['the next one was', { former: unstated('c', 1), lostBefore: [lost('b', 2)] }, undefined],
  ])('%s', (_, before, lostBefore) => {
    const after = formersAfter({ owner, ...before }, 'Fenced', 'c', NOW);
    expect(after).toEqual({ former: B, ...(lostBefore && { lostBefore }) });
  });

  test('so many that the oldest are forgotten', () => {
    const lostBefore = Array.from({ length: 8 }, (_, n) => lost(`l${n}`, 8 - n));
    const after = formersAfter({ owner, former: unstated('a', 0), lostBefore }, 'Fenced', 'c', NOW);
    expect(after.lostBefore?.map(({ uid }) => uid)).toEqual(['l1', 'l2', 'l3', 'l4', 'l5', 'l6', 'l7', 'a']);
  });
});

test('an owner that states has settled the fences that it owed', () => {
  const before = { owner, former: unstated('a', 1), lostBefore: [lost('z', 2)] };
  expect(formersAfter(before, 'Stated', 'c', NOW)).toEqual({ former: { uid: 'b', stated: true } });
});

test('a shard without an owner keeps what is known', () => {
  const before = { former: unstated('a', 1), lostBefore: [lost('z', 2)] };
  expect(formersAfter({ owner: null, ...before }, 'Unowned', 'c', NOW)).toEqual(before);
});

test('property: whoever was lost within the life of a connection, and not stated after, is named', () => {
  const step = fc.record({ minutes: fc.nat({ max: 9 }), why: fc.constantFrom('Stated' as const, 'Fenced') });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      let shard: Parameters<typeof formersAfter>[0] = { owner: { ...owner, uid: 'u0' }, former: null };
      let expected: { uid: string; at: number }[] = [];
      let now = NOW;
      steps.forEach(({ minutes, why }, n) => {
        now += minutes * MINUTE;
        const next = `u${n + 1}`;
        expected = why === 'Stated' ? [] : [...expected, { uid: `u${n}`, at: now }];
        shard = { ...formersAfter(shard, why, next, now), owner: { ...owner, uid: next } };
        const named = [
          ...(shard.lostBefore ?? []),
          ...(shard.former?.stated === false ? [shard.former] : []),
        ];
        const due = expected.filter(({ at }) => now - at < LONGEST_CONNECTION_MS).map(({ uid }) => uid);
        expect(named.map(({ uid }) => uid)).toEqual(due);
      });
    }),
  );
});
