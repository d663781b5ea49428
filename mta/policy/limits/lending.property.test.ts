// Borrowers and lenders over a wire that loses and delays, with lenders that die, are paused or follow one another, and borrowers that die or
// are paused: what a provider would see never exceeds the caps.
import fc from 'fast-check';
import { Borrowing } from './borrowing.ts';
import type { Granted } from './granted.ts';
import { Lending } from './lending.ts';
import type { PairBudgets } from './pair.ts';
import { LOAN_MS, type LoanAnswer, type LoanRequest, type PoolLimits } from './poolcap.ts';

/** A provider, and what it has seen. */
class Host {
  readonly sent: number[] = [];
  readonly begun: number[] = [];
  most = 0;
}

interface Open {
  readonly borrowing: Borrowing;
  readonly taking: Granted;
  left: number;
}

/** An egress pod: what it has, and the one question under way. */
class Pod {
  borrowing: Borrowing;
  open: Open[] = [];
  question: { request: LoanRequest; answer: LoanAnswer | null } | null = null;
  #loans = 0;
  readonly #name: string;

  constructor(name: string, limits: PoolLimits) {
    this.#name = name;
    this.borrowing = new Borrowing(`${name}-0`, limits);
  }

  /** Before anything it does: what has ended goes. */
  look(limits: PoolLimits, now: number): void {
    if (!this.borrowing.isOver(now)) return;
    this.end(limits, now);
  }

  end(limits: PoolLimits, now: number): void {
    for (const one of this.open) one.taking.end(now);
    this.open = [];
    this.question = null;
    this.borrowing = new Borrowing(`${this.#name}-${++this.#loans}`, limits);
    expect(this.borrowing.isOver(now)).toBe(false);
  }
}

/** The lender of an epoch, and what is durable. */
class Lenders {
  record: PairBudgets | null = null;
  lending: Lending;
  #limits: PoolLimits;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
    this.lending = new Lending(limits, 0, null, { now: 0, wallNow: 0, skewMs: 0 });
  }

  follow(now: number): void {
    this.lending = new Lending(this.#limits, now + LOAN_MS, this.record, { now, wallNow: now, skewMs: 0 });
  }

  lend(request: LoanRequest, now: number): LoanAnswer {
    const answer = this.lending.lend(request, now);
    if (!this.lending.wantsReserve(request, answer, now)) return answer;
    const slices = this.lending.slices(now);
    this.record = this.lending.record(now, now, slices);
    this.lending.confirmed(slices);
    const more = this.lending.more(request, now);
    if (answer.verdict !== 'lent' || more.verdict !== 'lent') return answer;
    return { ...more, messages: answer.messages + more.messages, attempts: answer.attempts + more.attempts };
  }

  setLimits(limits: PoolLimits): void {
    this.#limits = limits;
    this.lending.setLimits(limits);
  }
}

const step = fc.record({
  wait: fc.oneof(
    { weight: 150, arbitrary: fc.integer({ min: 0, max: 200 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1000, max: 12_000 }) },
  ),
  who: fc.nat({ max: 2 }),
  what: fc.oneof(
    { weight: 200, arbitrary: fc.constantFrom('ask', 'arrive', 'take', 'exchange', 'open', 'send', 'close') },
    { weight: 1, arbitrary: fc.constantFrom('lose', 'die', 'follow') },
  ),
  count: fc.integer({ min: 1, max: 9 }),
});
const caps = fc.record({
  connections: fc.option(fc.integer({ min: 1, max: 6 })),
  attemptsPerMinute: fc.option(fc.integer({ min: 1, max: 60 })),
  messages: fc.record({
    second: fc.option(fc.integer({ min: 1, max: 9 })),
    minute: fc.option(fc.integer({ min: 1, max: 60 })),
  }),
});

function within(times: readonly number[], ms: number): number {
  let [most, from] = [0, 0];
  for (const [to, at] of times.entries()) {
    while ((times[from] as number) <= at - ms) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

test('no more than the caps, whatever is lost, late, paused or dies', () => {
  let total = 0;
  fc.assert(
    fc.property(caps, fc.array(step, { minLength: 100, maxLength: 400 }), (limits, steps) => {
      const host = new Host();
      const lenders = new Lenders(limits);
      const pods = ['a', 'b', 'c'].map((name) => new Pod(name, limits));
      let now = 0;
      for (const { wait, who, what, count } of steps) {
        now += wait;
        const pod = pods[who] as Pod;
        const mine = () => pod.borrowing;
        if (what === 'follow') lenders.follow(now);
        if (what === 'die') pod.end(limits, now);
        if (what === 'lose' && pod.question) {
          mine().unanswered(pod.question.request.number);
          pod.question = null;
        }
        const isExchange = what === 'exchange';
        if ((what === 'ask' || isExchange) && !pod.question) {
          pod.look(limits, now);
          mine().demand(now, count);
          pod.question = { request: mine().ask(now), answer: null };
        }
        // The lender answers, and its answer is on the way for as long as nobody takes it.
        if ((what === 'arrive' || isExchange) && pod.question)
          pod.question.answer ??= lenders.lend(pod.question.request, now);
        if ((what === 'take' || isExchange) && pod.question?.answer) {
          const { request, answer } = pod.question;
          pod.question = null;
          if (!mine().answered(request.number, answer, now)) pod.end(limits, now);
        }
        if (what === 'open') {
          pod.look(limits, now);
          mine().demand(now, count);
          const recipients = Math.min(count, mine().recipients(now));
          if (mine().missing(now) !== null) continue;
          pod.open.push({ borrowing: mine(), taking: mine().take(recipients), left: recipients });
          host.begun.push(now);
        }
        if (what === 'send' && pod.open[0] && !pod.open[0].borrowing.isOver(now)) {
          const [one] = pod.open;
          const units = Math.min(count, one.left);
          one.left -= units;
          for (let unit = 0; unit < units; unit++) host.sent.push(now);
          one.taking.used(now, units);
        }
        if (what === 'close') {
          pod.open.shift()?.taking.end(now, 0);
        }
        const live = pods.flatMap(({ open }) => open).filter(({ borrowing }) => !borrowing.isOver(now));
        if (limits.connections !== null) expect(live.length).toBeLessThanOrEqual(limits.connections);
      }
      total += host.sent.length;
      const most = (of: number[], limit: number | null, ms: number) =>
        limit !== null && expect(within(of, ms)).toBeLessThanOrEqual(limit);
      most(host.begun, limits.attemptsPerMinute, 60_000);
      most(host.sent, limits.messages.second, 1000);
      most(host.sent, limits.messages.minute, 60_000);
    }),
    { numRuns: 200 },
  );
  expect(total).toBeGreaterThan(200);
});
