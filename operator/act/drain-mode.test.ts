import type { DrainVerdict } from '../decide/drain.ts';
import type { AnyObject } from '../runtime/objects.ts';
import type { EventNote } from './deps.ts';
import { settleDrainMode } from './drain-mode.ts';

const leave: DrainVerdict = {
  ...{ kind: 'Leave', pod: 'demo-delivery-2', uid: 'uid-2', ordinal: 2, step: 'Delivering', left: 3 },
  ...{ cordon: true, handOver: false, remove: false, refusal: null },
};
const stay: DrainVerdict = { kind: 'Stay' };

async function settle(
  annotation: string | null,
  drain: DrainVerdict,
  before: { drain: DrainVerdict; drainModeFault: string | null } | null,
  fault: string | null = null,
) {
  const bodies: unknown[] = [];
  const notes: EventNote[] = [];
  const deps = {
    api: { patch: async (_: unknown, __: unknown, { body }: { body: unknown }) => bodies.push(body) },
    tell: (_: AnyObject, note: EventNote) => void notes.push(note),
  };
  const annotations = annotation === null ? {} : { 'postfleet.io/drain-mode': annotation };
  const object = { metadata: { name: 'demo', uid: 'u', annotations } } as unknown as AnyObject;
  await settleDrainMode(deps as never, object, { world: { drainModeFault: fault }, drain, before });
  return { bodies, notes };
}

test.each([
  ['a pod still leaves', 'Wait', leave, leave, 0],
  ['the last one has left, or stays after all', 'Wait', stay, leave, 1],
  ['nobody has begun to leave', 'Wait', stay, stay, 0],
  ['there is none', null, stay, leave, 0],
])('taken off when the drain is over: %s', async (_, annotation, drain, before, patches) => {
  const { bodies } = await settle(annotation, drain, { drain: before, drainModeFault: null });
  expect(bodies).toHaveLength(patches);
  if (patches)
    expect(bodies[0]).toEqual({ metadata: { uid: 'u', annotations: { 'postfleet.io/drain-mode': null } } });
});

test('what cannot be understood is told once', async () => {
  const first = await settle('wait', leave, { drain: leave, drainModeFault: null }, 'write Wait');
  expect(first.notes).toMatchObject([{ type: 'Warning', reason: 'InvalidDrainMode', note: 'write Wait' }]);
  const again = await settle('wait', leave, { drain: leave, drainModeFault: 'write Wait' }, 'write Wait');
  expect(again.notes).toEqual([]);
});
