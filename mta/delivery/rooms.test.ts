import { Families } from './families.ts';
import { laneOf } from './lane.ts';
import { Rooms } from './rooms.ts';

test('what egress has said is known for five minutes, or until the day ends', () => {
  let now = 1_000_000;
  const rooms = new Rooms(() => now);
  expect(rooms.of('a', 'google')).toBeNull();
  rooms.granted('a', 'google', null);
  expect(rooms.of('a', 'google')).toEqual({ kind: 'Warmed' });
  rooms.granted('a', 'google', { room: 12, allowance: 100, endsInSeconds: 60 });
  expect(rooms.of('a', 'google')).toEqual({
    ...{ kind: 'Young', room: 12, allowance: 100, endsAt: now + 60_000, suspended: false },
  });
  rooms.refused('a', 'yahoo', true, { room: 3, allowance: 10, endsInSeconds: 4000 });
  expect(rooms.of('a', 'yahoo')).toMatchObject({ room: 0, suspended: true });
  now += 60_000;
  expect(rooms.of('a', 'google')).toBeNull();
  now += 300_000;
  expect(rooms.of('a', 'yahoo')).toBeNull();
  rooms.granted('a', 'google', null);
  rooms.clear();
  expect(rooms.of('a', 'google')).toBeNull();
});

test('a host without an address in one family is not asked for from there for a while', () => {
  let now = 0;
  const families = new Families(() => now);
  families.lacks('mx.example', '2001:db8::1');
  expect(families.canReach('mx.example', '2001:db8::2')).toBe(false);
  expect(families.canReach('mx.example', '192.0.2.1')).toBe(true);
  expect(families.canReach('other.example', '2001:db8::1')).toBe(true);
  now += 300_000;
  expect(families.canReach('mx.example', '2001:db8::2')).toBe(true);
});

describe('lanes', () => {
  const header = () => ({ sendingDomain: 'a.example', engaged: true as const });
  test.each([
    ['no pool yet', null, ''],
    ['a pool without any of it does not look at the message', {}, ''],
    ['addresses of its own', { dedicated: { 'a.example': ['b', 'a'] } }, ' via a,b'],
    ['addresses of others', { dedicated: { 'b.example': ['b'] } }, ''],
    ['engaged first', { warmup: { engagedFirst: true } }, ' engaged'],
  ])('%s', (_, pool, lane) => {
    expect(laneOf(pool as never, pool && Object.keys(pool).length > 0 ? header : () => fail())).toBe(lane);
  });
  const fail = () => {
    throw new Error('looked at');
  };
});
