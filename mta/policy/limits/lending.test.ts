import fc from 'fast-check';
import { borrowed, Lender, LOAN_MS, NO_SHARE, type Share, shareAt } from './lending.ts';

const lend = (lender: Lender, borrower: string, want: number, held: number, now: number) =>
  lender.lend({ borrower, want, held }, now);

test('a new lender waits until the loans of the one before are over; the first of all need not', () => {
  const lender = new Lender(10, 100);
  expect(lend(lender, 'a', 5, 0, 99 + LOAN_MS)).toBe(0);
  expect(lend(lender, 'a', 5, 0, 100 + LOAN_MS)).toBe(5);
  expect(lend(new Lender(10, 100, true), 'a', 5, 0, 100)).toBe(5);
});

test('a second borrower gets its part when the first has shown that it knows of it', () => {
  const lender = new Lender(10, 0, true);
  expect(lend(lender, 'a', 20, 0, 0)).toBe(10);
  expect(lend(lender, 'b', 20, 0, 10)).toBe(0);
  expect(lend(lender, 'a', 20, 10, 20)).toBe(5);
  expect(lend(lender, 'b', 20, 0, 30)).toBe(0);
  expect(lend(lender, 'a', 20, 5, 40)).toBe(5);
  expect(lend(lender, 'b', 20, 0, 50)).toBe(5);
});

test('who wants little leaves the rest, and who is gone leaves all', () => {
  const lender = new Lender(10, 0, true);
  lend(lender, 'a', 2, 0, 0);
  expect(lend(lender, 'b', 20, 0, 0)).toBe(8);
  expect(lend(lender, 'b', 20, 8, LOAN_MS)).toBe(10);
});

test('what is lent and believed never exceeds the cap, whatever is lost and late', () => {
  const call = fc.record({
    who: fc.nat({ max: 3 }),
    want: fc.nat({ max: 12 }),
    wait: fc.integer({ min: 0, max: 3000 }),
    lost: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), fc.array(call, { maxLength: 100 }), (cap, calls) => {
      const lender = new Lender(cap, 0, true);
      const shares: Share[] = [NO_SHARE, NO_SHARE, NO_SHARE, NO_SHARE];
      let now = 0;
      for (const { who, want, wait, lost } of calls) {
        const askedAt = now;
        now += wait; // on the wire
        const mine = shares[who] as Share;
        const share = lend(lender, `p${who}`, want, shareAt(mine, askedAt), now);
        if (!lost) shares[who] = borrowed(share, askedAt);
        const believed = shares.reduce((sum, one) => sum + shareAt(one, now), 0);
        expect(believed).toBeLessThanOrEqual(lender.lent(now));
        expect(lender.lent(now)).toBeLessThanOrEqual(cap);
      }
    }),
    { numRuns: 500 },
  );
});
