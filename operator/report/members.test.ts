import type { Member } from '../../resources/kinds.ts';
import { obedientStatement, podView, readingsOf, worldOf } from '../decide/scripted-world.ts';
import { strandedSpools } from '../decide/stranded.ts';
import type { PoolWorld } from '../observe/world.ts';
import { membersOf } from './members.ts';

const before: Member[] = [
  { pod: 'demo-delivery-1', state: 'Active', queued: 7, oldestAgeSeconds: 60, shards: [], spool: 'old' },
];
/** The second pod says nothing: it waits for a node, or is being made anew. */
function silent(givenUp: boolean): PoolWorld {
  const world = worldOf(2);
  return { ...world, volumes: world.volumes.map((v) => (v.ordinal === 1 ? { ...v, givenUp } : v)) };
}
const said = (world: PoolWorld) => membersOf(world, before)[1];

test('what a silent pod had is kept', () => {
  expect(said(silent(false))).toMatchObject({ queued: 7, spool: 'old' });
});

test('of a volume that was given up nothing is kept, so that the empty one after it is no loss', () => {
  const member = said(silent(true));
  expect(member).toMatchObject({ pod: 'demo-delivery-1', queued: 0 });
  const fresh = obedientStatement(podView(1), null, { spool: { id: 'new' } });
  const back = { ...worldOf(2), readings: readingsOf([fresh]) };
  const members = member ? [member] : [];
  expect(strandedSpools(back, { members, stranded: [] })).toEqual([]);
  expect(strandedSpools(back, { members: before, stranded: [] })).toMatchObject([{ why: 'VolumeLost' }]);
});
