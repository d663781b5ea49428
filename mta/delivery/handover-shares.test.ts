// What of a hand-over runs when: a pass goes through the whole spool, so none may begin without need.
import { log } from '../../process/log.ts';
import type { HopId } from '../message/parcel.ts';
import { hopIdOf, parcelOf } from '../spool/fixtures.ts';
import { ModelSpool } from '../spool/model.ts';
import { Busy } from './busy.ts';
import { Handover } from './handover.ts';

function scene() {
  const model = new ModelSpool();
  for (const id of [1, 2, 3, 4]) model.apply({ kind: 'put', parcel: parcelOf(id) }, 0);
  const seen = { passes: 0 };
  const published: string[] = [];
  const busy = new Busy();
  const handover = new Handover({
    spool: {
      held: (after: HopId | null) => {
        if (after !== null) return [];
        seen.passes++;
        return [...model.parcels.keys()];
      },
      parcel: (hopId: HopId) => {
        const held = model.parcels.get(hopId);
        return held ? { header: held.parcel, messageBytes: 1, moving: held.moving } : null;
      },
      entriesOf: (hopId: HopId) => model.picture().entries.filter((entry) => entry.hopId === hopId),
      message: () => Buffer.from('m'),
      commit: async (changes: readonly never[]) => {
        for (const change of changes) model.apply(change, 0);
      },
    } as never,
    busy,
    heldBack: () => false,
    publish: async (_, __, id) => void published.push(id ?? ''),
    log,
    shards: () => 8,
    moved: () => {},
    clock: { now: () => 0 },
    possiblyRepeated: () => {},
  });
  return { model, busy, handover, seen, published };
}

test('an assignment that asks for no sharing begins no pass', async () => {
  const { handover, seen } = scene();
  handover.shares = null;
  handover.shares = null;
  await handover.stop();
  expect(seen.passes).toBe(0);
});

test('only what may go goes, and nothing that is queued or under way; the rest stays', async () => {
  const { model, busy, handover, published } = scene();
  busy.add(hopIdOf(2), [0]);
  handover.shares = (hopId) => hopId === hopIdOf(1) || hopId === hopIdOf(2);
  while (handover.handedOver === 0) await new Promise((resolve) => setImmediate(resolve));
  handover.shares = null;
  await handover.stop();
  expect(handover.handedOver).toBe(1);
  expect(published).toHaveLength(1);
  expect([...model.parcels.keys()].sort()).toEqual([2, 3, 4].map(hopIdOf).sort());
  expect([...model.parcels.values()].every(({ moving }) => moving === null)).toBe(true);
});
