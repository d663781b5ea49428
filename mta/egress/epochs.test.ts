import type { PoolKey } from '../bus/names.ts';
import type { Assignment } from '../bus/snapshot.ts';
import { EpochBook } from './epochs.ts';

const pool = 'mail_a' as PoolKey;
const other = 'mail_b' as PoolKey;

test('an epoch older than the highest seen is stale, in its own pool and shard only', () => {
  const book = new EpochBook();
  book.learn(pool, [[1, 5]]);
  book.learn(pool, [[1, 3]]);
  expect(book.stale(pool, new Map([[1, 4]]))).toEqual({ shard: 1, epoch: 4, known: 5 });
  expect(book.stale(pool, new Map([[1, 5]]))).toBeNull();
  expect(book.stale(pool, new Map([[2, 1]]))).toBeNull();
  expect(book.stale(other, new Map([[1, 1]]))).toBeNull();
  expect(book.stale(pool, new Map())).toBeNull();
});

const assignment = (
  former: { uid: string; stated: boolean } | null,
  members: string[],
  lostBefore: { uid: string; at: number }[] = [],
): Assignment => ({
  version: 1,
  pool: 'mail/a',
  revision: 1,
  members: members.map((uid) => ({ pod: uid, uid, cordoned: false, handOver: false })),
  shards: [{ shard: 0, epoch: 7, owner: null, releasing: false, former, lostBefore }],
});

test.each([
  ['gone without a statement', { uid: 'old', stated: false }, ['new'], ['old']],
  ['gone with its statement', { uid: 'old', stated: true }, ['new'], []],
  ['still a member', { uid: 'old', stated: false }, ['old', 'new'], []],
  ['no former owner', null, ['new'], []],
])('an assignment teaches epochs, and whom to fence: %s', (_what, former, members, fenced) => {
  const book = new EpochBook();
  expect(book.learnAssignment(pool, assignment(former, members))).toEqual(fenced);
  expect(book.stale(pool, new Map([[0, 6]]))?.known).toBe(7);
});

test('owners that were lost before the former are fenced with it', () => {
  const before = [
    { uid: 'older', at: 1 },
    { uid: 'member', at: 2 },
  ];
  const given = assignment({ uid: 'old', stated: false }, ['member'], before);
  expect(new EpochBook().learnAssignment(pool, given)).toEqual(['older', 'old']);
});

test('who is fenced already is not fenced again', () => {
  const book = new EpochBook();
  book.fence('old');
  expect(book.learnAssignment(pool, assignment({ uid: 'old', stated: false }, []))).toEqual([]);
});
