import { Rate } from './rate.ts';

test('the last ten whole seconds count, whatever came before', () => {
  const rate = new Rate();
  const at = 5_000_000;
  rate.count(50, at);
  expect(rate.perSecond(at + 999)).toBe(0);
  rate.count(30, at + 999);
  expect(rate.perSecond(at + 1000)).toBe(8);
  rate.count(20, at + 1500);
  expect(rate.perSecond(at + 2000)).toBe(10);
  expect(rate.perSecond(at + 10_999)).toBe(10);
  expect(rate.perSecond(at + 11_000)).toBe(2);
  expect(rate.perSecond(at + 12_000)).toBe(0);
  expect(rate.perSecond(at + 9_000_000)).toBe(0);
});
