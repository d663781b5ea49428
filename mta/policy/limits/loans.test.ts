import fc from 'fast-check';
import type { BudgetRecord } from './budget.ts';
import { LOAN_MS } from './lending.ts';
import { UnitLender, type UnitLoan } from './loans.ts';

function fetch(lender: UnitLender, now: number): BudgetRecord {
  lender.expire(now);
  const slice = lender.budget.slice(now);
  const record = lender.budget.record(now, now, slice);
  lender.budget.confirmed(slice);
  return record;
}

test('what is not repaid counts whole when the loan ends; a late report changes nothing', () => {
  const lender = new UnitLender(1, { minute: 100 });
  expect(lender.borrow(10, 0)).toMatchObject({ refused: 'Reserve' });
  fetch(lender, 0);
  const loan = lender.borrow(10, 0) as UnitLoan;
  expect(loan).toEqual({ id: 1, units: 5, until: LOAN_MS });
  lender.repay(loan.id, 0, LOAN_MS);
  expect(lender.budget.room(LOAN_MS)).toBe(95);
  fetch(lender, LOAN_MS);
  const second = lender.borrow(10, LOAN_MS) as UnitLoan;
  lender.repay(second.id, 2, LOAN_MS + 1);
  lender.repay(second.id, 2, LOAN_MS + 1);
  expect(lender.budget.room(LOAN_MS + 1)).toBe(93);
});

test('the pool never exceeds a window, whatever borrowers forget and lenders die', () => {
  const step = fc.record({
    wait: fc.integer({ min: 0, max: 3000 }),
    what: fc.oneof(
      { weight: 10, arbitrary: fc.constantFrom('borrow', 'repay', 'reserve') },
      { weight: 1, arbitrary: fc.constant('die') },
    ),
    count: fc.integer({ min: 1, max: 9 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.array(step, { maxLength: 200 }), (minute, steps) => {
      let now = 0;
      let stored: BudgetRecord | null = null;
      let lender = new UnitLender(1, { minute });
      let loans: UnitLoan[] = [];
      const sent: number[] = [];
      for (const { wait, what, count } of steps) {
        now += wait;
        if (what === 'reserve') stored = fetch(lender, now);
        if (what === 'borrow') {
          const loan = lender.borrow(count, now);
          if ('id' in loan) loans.push(loan);
        }
        const loan = what === 'repay' ? loans.shift() : undefined;
        if (loan) {
          const used = loan.until > now ? Math.min(count, loan.units) : loan.units;
          for (let unit = 0; unit < used; unit++) sent.push(Math.min(now, loan.until - 1));
          lender.repay(loan.id, used, now);
        }
        if (what !== 'die') continue;
        for (const one of loans) for (let unit = 0; unit < one.units; unit++) sent.push(one.until - 1);
        loans = [];
        lender = new UnitLender(now + 1, { minute }, stored, {
          now,
          wallNow: now,
          grantsEndAt: now + LOAN_MS,
          skewMs: 0,
        });
      }
      sent.sort((a, b) => a - b);
      for (const at of sent)
        expect(sent.filter((other) => other > at - 60_000 && other <= at).length).toBeLessThanOrEqual(minute);
    }),
    { numRuns: 300 },
  );
});
