import type { Assignment, ShardAssignment } from '../bus/snapshot.ts';
import { belongingOf } from './doubt.ts';

const pulled = { shard: 3, epoch: 7, uid: 'a1', at: 0, hopIds: [] };
const owned = (uid: string, epoch: number, former: string | null = null): ShardAssignment => ({
  ...{ shard: 3, epoch, owner: { pod: uid, uid, node: 'n' }, releasing: false },
  former: former === null ? null : { uid: former, stated: false },
});
const assigned = (...shards: ShardAssignment[]): Assignment => ({
  ...{ version: 1, pool: 'mail/main', revision: 1, members: [], shards },
});

describe('a copy that a1 pulled under epoch 7', () => {
  test.each<[string, string, Assignment | null, string]>([
    ['the assignment is not known', 'a1', null, 'unknown'],
    ['its container restarted, and kept the shard', 'a1', assigned(owned('a1', 7)), 'ours'],
    ['it has the shard and is to give it up', 'a1', assigned({ ...owned('a1', 7), releasing: true }), 'ours'],
    ['its successor on the volume took over from it', 'a2', assigned(owned('a2', 8, 'a1')), 'ours'],
    ['its successor on the volume waits for the shard', 'a2', assigned(owned('a1', 7)), 'unknown'],
    ['nobody has the shard', 'a2', assigned({ ...owned('', 7), owner: null }), 'unknown'],
    ['another pod has the shard', 'a2', assigned(owned('b1', 8, 'a1')), 'theirs'],
    ['another pod has it, and this process goes on', 'a1', assigned(owned('b1', 8, 'a1')), 'theirs'],
    ['another pod had it in between', 'a2', assigned(owned('a2', 9, 'b1')), 'theirs'],
    [
      'another pod had it in between, and it came back to the same',
      'a1',
      assigned(owned('a1', 9, 'b1')),
      'theirs',
    ],
    ['two successors later, which the copy says nothing of', 'a3', assigned(owned('a3', 9, 'a2')), 'theirs'],
    ['the epochs began anew with another pool of the name', 'a2', assigned(owned('a2', 1)), 'theirs'],
    ['the pool of the name has no such shard', 'a2', assigned({ ...owned('b1', 8), shard: 2 }), 'ours'],
  ])('%s', (_, uid, assignment, belonging) => {
    expect(belongingOf(pulled, assignment, uid)).toBe(belonging);
  });

  test('one that was taken away while it was written is nobody’s in any epoch', () => {
    for (const uid of ['a1', 'b1'])
      expect(belongingOf({ ...pulled, epoch: 0 }, assigned(owned(uid, 7)), 'a1')).toBe('theirs');
  });
});
