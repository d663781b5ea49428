import { Budget, type Takeover } from './budget.ts';

const takeover = (now: number, more: Partial<Takeover> = {}): Takeover => ({
  now,
  wallNow: now,
  grantsEndAt: now,
  skewMs: 0,
  ...more,
});
const fetch = (budget: Budget, now: number) => {
  const slice = budget.slice(now);
  const record = budget.record(now, now, slice);
  budget.confirmed(slice);
  return record;
};

test('nothing goes before it is reserved, and a slice is 5 % of the tightest limit', () => {
  const budget = new Budget({ minute: 100, hour: 400 });
  expect(budget.take(0, 10)).toEqual({ units: 0, refused: 'Reserve' });
  expect(fetch(budget, 0).reserved).toBe(5);
  expect(budget.take(0, 10)).toEqual({ units: 5 });
  expect(budget.slice(0)).toBe(5);
});

test('a limit per second alone needs no record', () => {
  const budget = new Budget({ second: 2 });
  expect(budget.slice(0)).toBe(0);
  expect(budget.take(0, 10)).toEqual({ units: 2 });
  budget.settle(500, 2, 2);
  expect(budget.take(600, 1)).toEqual({ units: 0, refused: 'second', retryAt: 1500 });
  expect(budget.take(1500, 1)).toEqual({ units: 1 });
});

test('open grants count for as long as they are open, and what they did not use comes back', () => {
  const budget = new Budget({ minute: 10 });
  for (let count = 0; count < 10; count++) {
    fetch(budget, 0);
    expect(budget.take(0, 1)).toEqual({ units: 1 });
  }
  expect(budget.take(1e9, 1)).toMatchObject({ refused: 'minute', retryAt: 1e9 + 1000 });
  budget.settle(1e9, 10, 4);
  expect(budget.used('minute', 1e9)).toBe(4);
  expect(budget.room(1e9)).toBe(6);
});

test('changing a limit opens no fresh budget, nor does adding one', () => {
  const budget = new Budget({ minute: 20 });
  fetch(budget, 0);
  budget.take(0, 1);
  budget.settle(0, 1, 1);
  budget.setLimits({ hour: 1 });
  expect(budget.take(90_000, 1)).toMatchObject({ refused: 'hour', retryAt: 3_600_000 });
  budget.setLimits({ hour: 3 });
  expect(budget.room(90_000)).toBe(2);
});

test('a successor counts all that was reserved from when the last grant has ended', () => {
  const budget = new Budget({ minute: 100 });
  fetch(budget, 0);
  budget.take(0, 5);
  budget.settle(1000, 5, 5);
  const record = fetch(budget, 1000);
  expect(record).toMatchObject({ reserved: 5, windows: { minute: [{ until: 1407, units: 5 }] } });
  const next = new Budget({ minute: 100 }, record, takeover(11_000, { grantsEndAt: 20_000 }));
  expect(next.room(11_000)).toBe(90);
  expect(next.room(61_900)).toBe(95);
  expect(next.room(79_999)).toBe(95);
  expect(next.room(80_400)).toBe(100);
});

test('clocks of two machines: skew is added, a stamp from the future counts from now', () => {
  const budget = new Budget({ minute: 100 });
  fetch(budget, 0);
  budget.take(0, 5);
  budget.settle(0, 5, 5);
  const record = budget.record(0, 1_000_000, 0);
  const read = (wallNow: number, skewMs: number) =>
    new Budget({ minute: 100 }, record, { now: 50_000, wallNow, grantsEndAt: 50_000, skewMs });
  expect(read(1_010_000, 0).room(100_400)).toBe(100);
  expect(read(1_010_000, 2000).room(100_400)).toBe(95);
  expect(read(900_000, 0).room(109_999)).toBe(95);
  expect(read(900_000, 0).room(110_400)).toBe(100);
});
