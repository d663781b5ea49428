import { Borrowing } from './borrowing.ts';
import { Lending } from './lending.ts';
import { LOAN_MS, type LoanAnswer, type PoolLimits, RENEW_MS } from './poolcap.ts';

const LIMITS: PoolLimits = { connections: 4, attemptsPerMinute: null, messages: { minute: 100 } };
const at = (now: number) => ({ now, wallNow: now, skewMs: 0 });
const first = (limits = LIMITS) => new Lending(limits, 0, null, at(0));

/** Asks and is answered in no time, slices included. */
function exchange(lending: Lending, borrowing: Borrowing, now: number): LoanAnswer {
  const request = borrowing.ask(now);
  let answer = lending.lend(request, now);
  borrowing.answered(request.number, answer, now);
  if (lending.wantsReserve(request, answer, now)) {
    lending.confirmed(lending.slices(now));
    const again = borrowing.ask(now);
    answer = lending.lend(again, now);
    borrowing.answered(again.number, answer, now);
  }
  return answer;
}
const wanting = (id: string, recipients = 10, limits = LIMITS, now = 0) => {
  const borrowing = new Borrowing(id, limits);
  borrowing.demand(now, recipients);
  return borrowing;
};

test('one borrower: a share and a slice in hand, which a grant takes and gives back', () => {
  const [lending, a] = [first(), wanting('a')];
  exchange(lending, a, 0);
  expect([a.connections(0), a.recipients(0), a.missing(0)]).toEqual([1, 5, null]);
  const taking = a.take(5);
  expect([a.connections(0), a.missing(0), lending.used('minute', 0)]).toEqual([0, 'messages', 5]);
  taking.used(0, 2);
  taking.end(0, 0);
  expect([a.open, a.recipients(0)]).toEqual([0, 3]);
  exchange(lending, a, 1);
  expect(lending.used('minute', 1)).toBe(2 + 5);
});

test('what is free goes back when nobody wants it any more', () => {
  const [lending, a] = [first(), wanting('a')];
  exchange(lending, a, 0);
  exchange(lending, a, 4000);
  expect([lending.used('minute', 4000), lending.connections(4000), a.isIdle(4000)]).toEqual([0, 0, true]);
});

test('connections are shared evenly, and one that is in use is not taken away', () => {
  const [lending, a, b] = [first(), wanting('a', 1), wanting('b', 1)];
  const takings = [0, 1, 2, 3].map((now) => {
    exchange(lending, a, now);
    return a.take(1);
  });
  expect(a.open).toBe(4);
  exchange(lending, b, 10);
  exchange(lending, a, 20);
  expect([a.connections(20), b.connections(20)]).toEqual([0, 0]);
  takings[0]?.close(20);
  expect(a.connections(30)).toBe(0);
  exchange(lending, a, 30);
  exchange(lending, b, 40);
  expect([a.connections(40), b.connections(40)]).toEqual([0, 1]);
});

test('an answer to a question before the latest is not taken, and a question that comes late is not answered', () => {
  const [lending, a] = [first(), wanting('a')];
  const early = a.ask(0);
  a.unanswered(early.number);
  const later = a.ask(1);
  const answer = lending.lend(later, 1);
  expect(lending.lend(early, 2)).toEqual({ verdict: 'nothing' });
  a.answered(early.number, answer, 3);
  expect(a.connections(3)).toBe(0);
  a.answered(later.number, answer, 3);
  expect(a.connections(3)).toBe(1);
});

test('a loan that is not renewed ends for the borrower first, and counts whole', () => {
  const [lending, a] = [first(), wanting('a')];
  exchange(lending, a, 0);
  exchange(lending, a, 1);
  a.take(3);
  expect([a.isOver(LOAN_MS), a.isOver(1 + LOAN_MS)]).toEqual([false, true]);
  expect([lending.connections(1 + LOAN_MS), lending.used('minute', 1 + LOAN_MS)]).toEqual([0, 5]);
  expect(lending.lend(a.ask(2 + LOAN_MS), 2 + LOAN_MS)).toEqual({ verdict: 'ended' });
});

test('a new lender makes out to each borrower what it has, and lends no more until the rest has ended', () => {
  const [lending, a, b] = [first(), wanting('a'), wanting('b')];
  exchange(lending, a, 0);
  exchange(lending, b, 0);
  a.take(5);
  const record = lending.record(100, 100);
  const next = new Lending(LIMITS, 100 + LOAN_MS, record, at(100));
  expect([next.connections(100), next.used('minute', 100)]).toEqual([4, 10]);
  a.demand(200, 10);
  expect(exchange(next, a, 200)).toMatchObject({ verdict: 'lent', connections: 1 });
  expect(a.isOver(LOAN_MS + 100)).toBe(false);
  expect(exchange(next, wanting('c'), 200)).toMatchObject({ connections: 0 });
  // b is gone: its connection is free, and what it had counts as used from when its loan had ended.
  const end = 100 + LOAN_MS;
  expect([next.connections(end - 1), next.connections(end)]).toEqual([4, 1]);
  expect(next.used('minute', end + 50_000)).toBeGreaterThanOrEqual(10);
});

test('a cap that changes finds its history, and what was in hand goes back', () => {
  const [lending, a] = [first(), wanting('a')];
  exchange(lending, a, 0);
  a.take(5).settleRest(0);
  const lower = { ...LIMITS, messages: { minute: 6 } };
  a.setLimits(lower);
  lending.setLimits(lower);
  expect(a.recipients(RENEW_MS)).toBe(0);
  exchange(lending, a, RENEW_MS);
  expect(a.recipients(RENEW_MS)).toBe(1);
});

test('without windows recipients are not lent, and still counted', () => {
  const limits: PoolLimits = { connections: 2, attemptsPerMinute: null, messages: {} };
  const [lending, a] = [first(limits), wanting('a', 10, limits)];
  exchange(lending, a, 0);
  expect(a.recipients(0)).toBe(Number.POSITIVE_INFINITY);
  a.take(1000).used(0, 7);
  exchange(lending, a, 1);
  expect(lending.used('minute', 1)).toBe(7);
});

test('when the cap is taken away, what was granted under it goes on', () => {
  const [lending, a] = [first(), wanting('a')];
  exchange(lending, a, 0);
  a.letGo();
  expect(a.isOver(LOAN_MS)).toBe(false);
});
