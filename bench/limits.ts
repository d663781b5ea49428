// What a grant decision costs with 1,000 (address, provider) pairs busy: limits, turns and warm-up together, as egress asks them.
// `node bench/limits.ts`
import { Pair, type PairLimits } from '../mta/policy/limits/pair.ts';
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
}
const busy: Busy[] = Array.from({ length: PAIRS }, (_, index) => ({
  pair: new Pair(LIMITS),
  ledger: openLedger(beginRecord(`192.0.2.${index % 250}`, `provider-${index}`, START, PLAN)),
  open: [],
}));
let [granted, refused, reserved] = [0, 0, 0];

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
  const answer = one.pair.grant(asker, now, warm.claim.units);
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
  one.ledger = warm.ledger;
  one.open.push({
    end: (at) => {
      grant.end(at, grant.recipients);
      one.ledger = settle(one.ledger, warm.claim, { accepted: grant.recipients }, PLAN);
    },
  });
}

/** Microseconds of each decision; every pair is asked about once in 100 ms of virtual time. */
function run(count: number): Float64Array {
  const times = new Float64Array(count);
  for (let number = 0; number < count; number++) {
    const one = busy[number % PAIRS] as Busy;
    const start = performance.now();
    decide(one, number, number / 10);
    times[number] = (performance.now() - start) * 1000;
  }
  return times.sort();
}

run(100_000);
[granted, refused, reserved] = [0, 0, 0];
const before = process.memoryUsage().heapUsed;
const start = performance.now();
const times = run(DECISIONS);
const mean = ((performance.now() - start) * 1000) / DECISIONS;
const at = (share: number) => rounded(times[Math.floor(times.length * share)] as number);
const share = (part: number) => `${Math.round((part / DECISIONS) * 100)} %`;
const conditions = `${PAIRS} (address, provider) pairs, ${PODS} pods, ${ACCOUNTS} accounts, four windows, attempts and a warm-up each; ${share(granted)} granted, ${share(refused)} refused, ${share(reserved)} with a slice`;
const us = (figure: string, value: number) => ({ figure, value, unit: 'µs', conditions });
recordFigures('limits', [
  us('grant_decision_mean_us', rounded(mean)),
  us('grant_decision_median_us', at(0.5)),
  us('grant_decision_p99_us', at(0.99)),
  { figure: 'grant_decision_heap_mb', value: rounded(before / 1024 / 1024), unit: 'MiB', conditions },
]);
