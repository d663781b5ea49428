// What a grant decision costs with 1,000 (address, provider) pairs busy: limits, turns and warm-up together, as egress asks them; and the same
// with a cap over the whole IPPool at each provider.
// `node bench/limits.ts`
import { Borrowing } from '../mta/policy/limits/borrowing.ts';
import { Lending } from '../mta/policy/limits/lending.ts';
import { Pair, type PairLimits } from '../mta/policy/limits/pair.ts';
import type { PoolLimits } from '../mta/policy/limits/poolcap.ts';
import { DEFAULT_THRESHOLDS } from '../mta/policy/warmup/health.ts';
import { claim, confirmed, type Ledger, openLedger, reserve, settle } from '../mta/policy/warmup/ledger.ts';
import { beginRecord, type WarmupPlan } from '../mta/policy/warmup/record.ts';
import { recordFigures, rounded } from './figures.ts';

const PAIRS = 1000;
const PODS = 20;
const ACCOUNTS = 50;
const DECISIONS = 400_000;
const LIMITS: PairLimits = {
  connections: 10,
  messagesPerConnection: 20,
  attemptsPerMinute: 600,
  messages: { second: 50, minute: 2000, hour: 60_000, day: 500_000 },
};
const CAP: PoolLimits = {
  connections: 40,
  attemptsPerMinute: 2000,
  messages: { second: 200, minute: 8000, hour: 240_000, day: 2_000_000 },
};
const PLAN: WarmupPlan = {
  schedule: [{ day: 1, perDay: 400_000 }],
  timeZone: 'Europe/Berlin',
  thresholds: DEFAULT_THRESHOLDS,
  stepBackDays: 3,
  countDeferred: false,
  startedOn: null,
  keepLedgerDays: 90,
};
const START = Date.UTC(2026, 4, 1, 8);

interface Busy {
  readonly pair: Pair;
  ledger: Ledger;
  readonly open: { readonly end: (now: number) => void }[];
  readonly cap: { readonly borrowing: Borrowing; readonly lending: Lending } | null;
}
const startOfPair = (index: number, isCapped: boolean): Busy => ({
  pair: new Pair(LIMITS),
  ledger: openLedger(beginRecord(`192.0.2.${index % 250}`, `provider-${index}`, START, PLAN)),
  open: [],
  cap: isCapped
    ? {
        borrowing: new Borrowing(`loan-${index}`, CAP),
        lending: new Lending(CAP, 0, null, { now: 0, wallNow: START, skewMs: 0 }),
      }
    : null,
});
let busy: Busy[] = [];
let [granted, refused, reserved] = [0, 0, 0];

/** The questions and answers between this pod and its lender: beside the decision, as the lender's KV write is. */
function refill({ cap }: Busy, now: number): void {
  if (!cap?.borrowing.isDue(now)) return;
  const request = cap.borrowing.ask(now);
  cap.lending.confirmed(cap.lending.slices(now));
  cap.borrowing.answered(request.number, cap.lending.lend(request, now), now);
}

/** One CONNECT: the decision, and the slice it may need first; its KV write is not counted. */
function decide(one: Busy, number: number, now: number): void {
  const turn = Math.floor(number / PAIRS);
  const asker = { pod: `pod-${turn % PODS}`, account: `account-${turn % ACCOUNTS}` };
  if (one.open.length > 1) one.open.shift()?.end(now);
  const warm = claim(one.ledger, START + now, LIMITS.messagesPerConnection);
  if ('refused' in warm) {
    reserved++;
    one.ledger = confirmed(one.ledger, reserve(one.ledger, START + now, 1e9, PLAN));
    return;
  }
  const borrowing = one.cap?.borrowing;
  borrowing?.demand(now, warm.claim.units);
  if (borrowing && borrowing.missing(now) !== null) {
    refused++;
    return;
  }
  const room = borrowing?.recipients(now) ?? Number.POSITIVE_INFINITY;
  const outside = { recipients: room, connections: borrowing?.connections(now) ?? room };
  const answer = one.pair.grant(asker, now, Math.min(room, warm.claim.units), outside);
  if (answer.verdict === 'reserve') {
    reserved++;
    const slices = one.pair.slices(now);
    one.pair.record(now, START + now, slices);
    one.pair.confirmed(slices);
  }
  if (answer.verdict !== 'granted') {
    refused++;
    return; // the claim was not kept: the ledger is a value
  }
  granted++;
  const { grant } = answer;
  const taking = borrowing?.take(grant.recipients);
  taking?.dialled(now);
  one.ledger = warm.ledger;
  one.open.push({
    end: (at) => {
      grant.end(at, grant.recipients);
      taking?.end(at);
      one.ledger = settle(one.ledger, warm.claim, { accepted: grant.recipients }, PLAN);
    },
  });
}

/** Microseconds of each decision; every pair is asked about once in 100 ms of virtual time. */
function run(count: number): Float64Array {
  const times = new Float64Array(count);
  for (let number = 0; number < count; number++) {
    const one = busy[number % PAIRS] as Busy;
    const now = number / 10;
    refill(one, now);
    const start = performance.now();
    decide(one, number, now);
    times[number] = (performance.now() - start) * 1000;
  }
  return times.sort();
}

function measure(isCapped: boolean): void {
  const pairs = () => Array.from({ length: PAIRS }, (_, index) => startOfPair(index, isCapped));
  busy = pairs();
  run(100_000);
  busy = pairs();
  [granted, refused, reserved] = [0, 0, 0];
  const before = process.memoryUsage().heapUsed;
  const times = run(DECISIONS);
  const mean = times.reduce((sum, one) => sum + one, 0) / DECISIONS;
  const at = (share: number) => rounded(times[Math.floor(times.length * share)] as number);
  const share = (part: number) => `${Math.round((part / DECISIONS) * 100)} %`;
  const what = `four windows, attempts and a warm-up each${isCapped ? ', and a cap over the pool' : ''}`;
  const conditions = `${PAIRS} (address, provider) pairs, ${PODS} pods, ${ACCOUNTS} accounts, ${what}; ${share(granted)} granted, ${share(refused)} refused, ${share(reserved)} with a slice`;
  const name = isCapped ? 'capped_grant_decision' : 'grant_decision';
  const us = (figure: string, value: number) => ({ figure, value, unit: 'µs', conditions });
  recordFigures('limits', [
    us(`${name}_mean_us`, rounded(mean)),
    us(`${name}_median_us`, at(0.5)),
    us(`${name}_p99_us`, at(0.99)),
    { figure: `${name}_heap_mb`, value: rounded(before / 1024 / 1024), unit: 'MiB', conditions },
  ]);
}

measure(false);
measure(true);
