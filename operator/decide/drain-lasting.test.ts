import { type DrainVerdict, isBlocked } from './drain.ts';
import type { Refusal } from './drain-checks.ts';
import { LASTING_MS, lasting, wasBlocked } from './drain-lasting.ts';
import { NOW } from './scripted-world.ts';

type Leave = Extract<DrainVerdict, { kind: 'Leave' }>;

const leave = (reason: Refusal['reason'], uid = 'uid-2'): Leave => ({
  ...{ kind: 'Leave', pod: 'demo-delivery-2', uid, ordinal: 2, step: 'Releasing' },
  ...{ cordon: true, handOver: false, remove: false, left: 3, refusal: { reason, message: reason } },
});

/** What is said of the last of these verdicts, each `minutes` after the first. */
function after(...steps: readonly [minutes: number, DrainVerdict][]) {
  let before: DrainVerdict | null = null;
  for (const [minutes, drain] of steps) before = lasting(drain, before, NOW + minutes * 60_000);
  const refusal = before?.kind === 'Leave' ? before.refusal : null;
  return { before, isBlocked: refusal !== null && isBlocked(refusal) };
}

const late = LASTING_MS / 60_000;

test.each<[string, readonly [number, DrainVerdict][], boolean]>([
  [
    'nothing confirmed for a while: a step on the way',
    [
      [0, leave('Unacknowledged')],
      [late - 1, leave('Unacknowledged')],
    ],
    false,
  ],
  [
    'for too long',
    [
      [0, leave('Unacknowledged')],
      [late, leave('Unacknowledged')],
    ],
    true,
  ],
  [
    'shards not given up for too long',
    [
      [0, leave('HoldsShards')],
      [late, leave('HoldsShards')],
    ],
    true,
  ],
  [
    'a new assignment in between begins no new wait',
    [
      [0, leave('Unacknowledged')],
      [9, leave('OldRevision')],
      [late, leave('Unacknowledged')],
    ],
    true,
  ],
  [
    'it went on in between',
    [
      [0, leave('HoldsShards')],
      [9, leave('NotEmpty')],
      [late, leave('HoldsShards')],
    ],
    false,
  ],
  [
    'another pod',
    [
      [0, leave('HoldsShards', 'uid-3')],
      [late, leave('HoldsShards')],
    ],
    false,
  ],
  [
    'nobody left in between',
    [
      [0, leave('HoldsShards')],
      [9, { kind: 'Stay' }],
      [late, leave('HoldsShards')],
    ],
    false,
  ],
  [
    'a hand-over may take as long as it takes',
    [
      [0, leave('NotEmpty')],
      [late, leave('NotEmpty')],
    ],
    false,
  ],
])('%s', (_, steps, blocked) => {
  expect(after(...steps).isBlocked).toBe(blocked);
});

test('it is told when it gets overdue, and then not again', () => {
  const refusal = { reason: 'Unacknowledged', message: '' } as const;
  const first = after([0, leave('Unacknowledged')]).before;
  const overdue = after([0, leave('Unacknowledged')], [late, leave('Unacknowledged')]).before;
  expect([first, overdue].map((before) => wasBlocked(before, 'uid-2', refusal))).toEqual([false, true]);
});
