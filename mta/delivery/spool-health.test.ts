import { SpoolHealth } from './spool-health.ts';

test('a refusal counts for five seconds, unless the spool itself says more', () => {
  const state = { now: 0, failure: null as string | null };
  const said: (string | null)[] = [];
  const health = new SpoolHealth(
    { stats: () => ({ failure: state.failure }) as never },
    { monotonic: () => state.now },
    (why) => said.push(why),
  );
  const at = (now: number, failure: string | null = null) => {
    Object.assign(state, { now, failure });
    health.look();
    return health.failure;
  };
  expect(at(0)).toBeNull();
  health.refused(new Error('too large'));
  expect([at(4999), at(4999, 'full'), at(5000)]).toEqual(['too large', 'full', null]);
  expect(said).toEqual([null, 'too large', 'too large', 'full', null]);
});
