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
/** Pod and claim are gone, or the claim is a new one; the pod comes back when `replicas` says so. */
function gone(claim: boolean, replicas = 2, proven = false): PoolWorld {
  const world = worldOf(replicas, { pods: [podView(0)] });
  const anew = { used: false, provenEmpty: proven };
  const volumes = worldOf(2).volumes.flatMap((v) =>
    v.ordinal === 1 ? (claim ? [{ ...v, ...anew }] : []) : [v],
  );
  return { ...world, volumes };
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

test.each([
  ['both are gone', gone(false), true],
  ['the claim is a new one', gone(true), true],
  ['the volume was proven empty', gone(true, 2, true), false],
  ['replicas were lowered, and the volume was let go', gone(false, 1), false],
])('a pod that is to come back: %s', (_, world, kept) => {
  const [, member] = membersOf(world, before);
  if (!kept) return expect(member).toBeUndefined();
  expect(member).toMatchObject({ pod: 'demo-delivery-1', state: 'Missing', queued: 7, spool: 'old' });
  const fresh = obedientStatement(podView(1), null, { spool: { id: 'new' } });
  const back = { ...worldOf(2), readings: readingsOf([fresh]) };
  const lost = strandedSpools(back, { members: member ? [member] : [], stranded: [] });
  expect(lost).toMatchObject([{ why: 'VolumeLost', queued: 7 }]);
});
