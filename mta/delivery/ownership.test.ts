import type { Assignment, ShardAssignment } from '../bus/snapshot.ts';
import { dutiesOf } from './ownership.ts';

const shard = (over: Partial<ShardAssignment>): ShardAssignment => ({
  ...{ shard: 0, epoch: 3, owner: { pod: 'a', uid: 'me', node: 'n' }, releasing: false, former: null },
  ...over,
});
const assignment = (shards: readonly ShardAssignment[], member = {}): Assignment => ({
  ...{ version: 1, pool: 'mail/main', revision: 1, shards },
  members: [{ pod: 'a', uid: 'me', cordoned: false, handOver: false, ...member }],
});

describe('dutiesOf', () => {
  test('a shard is worked exactly while it names this UID and is not being released', () => {
    const other = { pod: 'a', uid: 'an earlier one', node: 'n' };
    const given = assignment([
      shard({}),
      shard({ shard: 1, releasing: true }),
      shard({ shard: 2, owner: other }),
      shard({ shard: 3, owner: null }),
    ]);
    expect(dutiesOf(given, 'me')).toEqual({
      cordoned: false,
      handOver: false,
      shareWith: null,
      shards: [{ shard: 0, epoch: 3, fences: [] }],
      releasing: new Set([1]),
      epochs: '0:3,1:3',
    });
  });

  test('a cordoned pod works nothing and gives everything up', () => {
    const duties = dutiesOf(assignment([shard({})], { cordoned: true }), 'me');
    expect(duties).toMatchObject({ cordoned: true, handOver: false, shards: [], releasing: new Set([0]) });
  });

  test('hand-over counts only together with the cordon', () => {
    expect(dutiesOf(assignment([], { handOver: true }), 'me').handOver).toBe(false);
    expect(dutiesOf(assignment([], { handOver: true, cordoned: true }), 'me').handOver).toBe(true);
  });

  test.each<[string, Partial<ShardAssignment>, readonly string[]]>([
    ['stated that it holds nothing', { former: { uid: 'before', stated: true } }, []],
    ['never said so', { former: { uid: 'before', stated: false } }, ['before']],
    ['is this pod itself', { former: { uid: 'me', stated: false } }, []],
    [
      'was lost, as others were before it',
      {
        former: { uid: 'before', stated: false, at: 3 },
        lostBefore: ['a', 'me', 'b'].map((uid) => ({ uid, at: 1 })),
      },
      ['a', 'b', 'before'],
    ],
  ])('a former owner that %s', (_, former, fences) => {
    expect(dutiesOf(assignment([shard(former)]), 'me').shards[0]?.fences).toEqual(fences);
  });

  test('without an assignment there is nothing to do', () => {
    expect(dutiesOf(null, 'me')).toMatchObject({ shards: [], cordoned: false, epochs: '' });
  });
});
