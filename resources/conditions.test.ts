import { findCondition, setCondition } from './conditions.ts';

const ready = (status: 'True' | 'False', message: string) =>
  ({ type: 'Ready', status, reason: 'AsExpected', message }) as const;

test('a condition keeps its transition time until its status changes', () => {
  const first = setCondition([], ready('True', 'a'), 1, 1_000_900);
  expect(first).toEqual([
    { ...ready('True', 'a'), observedGeneration: 1, lastTransitionTime: '1970-01-01T00:16:40Z' },
  ]);
  const second = setCondition(first, ready('True', 'b'), 2, 9_000_000);
  expect(second[0]).toEqual({ ...first[0], message: 'b', observedGeneration: 2 });
  const third = setCondition(second, ready('False', 'b'), 2, 9_000_000);
  expect(third[0]?.lastTransitionTime).toBe('1970-01-01T02:30:00Z');
});

test('other conditions and the order stay', () => {
  const both = setCondition(
    setCondition([], ready('True', ''), 1, 0),
    { ...ready('True', ''), type: 'Stalled' },
    1,
    0,
  );
  const changed = setCondition(both, ready('False', ''), 1, 0);
  expect(changed.map(({ type, status }) => [type, status])).toEqual([
    ['Ready', 'False'],
    ['Stalled', 'True'],
  ]);
  expect(findCondition(changed, 'Stalled')).toBe(both[1]);
  expect(findCondition(changed, 'Drained')).toBeUndefined();
});
