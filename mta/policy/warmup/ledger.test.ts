import { dayAt } from './day.ts';
import { DEFAULT_THRESHOLDS } from './health.ts';
import {
  type Claim,
  claim,
  confirmed,
  forfeited,
  giveBack,
  type Ledger,
  observe,
  openLedger,
  reread,
  reserve,
  settle,
  wantsSlice,
  withComplaints,
} from './ledger.ts';
import { beginRecord, stageOf, type WarmupPlan } from './record.ts';

const DAY = 86_400_000;
const START = Date.parse('2026-05-01T00:00:00Z');
const plan: WarmupPlan = {
  schedule: [100, 200, 400, 800, 1600, null].map((perDay, index) => ({ day: index + 1, perDay })),
  timeZone: 'UTC',
  thresholds: DEFAULT_THRESHOLDS,
  stepBackDays: 2,
  countDeferred: false,
  startedOn: null,
  keepLedgerDays: 90,
};
const fresh = () => openLedger(beginRecord('192.0.2.1', 'google', START, plan));
const fetched = (ledger: Ledger, now = START, want = 1e9, by = plan) =>
  confirmed(ledger, reserve(ledger, now, want, by));

function claimed(ledger: Ledger, want: number, now = START): { ledger: Ledger; claim: Claim } {
  const answer = claim(ledger, now, want);
  if ('refused' in answer) throw new Error(answer.refused);
  return answer;
}

/** Sends until nothing more goes; every recipient ends as `outcome` says. */
function sendAll(ledger: Ledger, now: number, accepted = true): { ledger: Ledger; sent: number } {
  let sent = 0;
  for (;;) {
    const answer = claim(ledger, now, 10);
    if ('claim' in answer) {
      sent += answer.claim.units;
      ledger = settle(
        answer.ledger,
        answer.claim,
        { [accepted ? 'accepted' : 'bounced']: answer.claim.units },
        plan,
      );
    } else if (answer.refused === 'Reserve') ledger = fetched(ledger, now);
    else return { ledger, sent };
  }
}

test('a slice is at most 5 % of the day, and nothing is spent before it is written', () => {
  const ledger = fresh();
  expect(claim(ledger, START, 1)).toEqual({ refused: 'Reserve' });
  const reservation = reserve(ledger, START, 1000, plan);
  expect(reservation.units).toBe(5);
  expect(reservation.record.reserved).toBe(5);
  expect(claimed(confirmed(ledger, reservation), 9).claim).toEqual({
    units: 5,
    day: '2026-05-01',
    until: START + DAY,
  });
});

test('open grants count against the slice; refused recipients come back, accepted ones do not', () => {
  const first = claimed(fetched(fresh()), 5);
  expect(claim(first.ledger, START, 1)).toEqual({ refused: 'Busy' });
  expect(reserve(first.ledger, START, 10, plan).units).toBe(0);
  const settled = settle(first.ledger, first.claim, { accepted: 3, deferred: 1, bounced: 1 }, plan);
  expect(settled.free).toBe(2);
  expect(reserve(settled, START, 10, plan)).toMatchObject({ units: 3, record: { reserved: 8, used: 3 } });
  const counting = settle(
    first.ledger,
    first.claim,
    { accepted: 3, deferred: 1 },
    { ...plan, countDeferred: true },
  );
  expect(counting.free).toBe(1);
});

test('the day ends at its allowance, to the recipient', () => {
  const { ledger, sent } = sendAll(fresh(), START);
  expect(sent).toBe(100);
  expect(claim(ledger, START, 1)).toEqual({ refused: 'Exhausted', until: START + DAY });
});

test('a new holder starts from the record alone: the slice of the dead one is lost, nothing is given twice', () => {
  const dead = claimed(fetched(fresh()), 2).ledger;
  const { sent } = sendAll(openLedger(dead.record), START);
  expect(sent).toBe(95);
});

test('a holder that leaves in order gives back what it has not used, and keeps open grants reserved until they are settled', () => {
  const open = claimed(fetched(fresh()), 2);
  const first = giveBack(open.ledger, START, plan);
  expect(first).toMatchObject({ units: -3, record: { reserved: 2 } });
  const left = confirmed(open.ledger, first);
  expect(left).toMatchObject({ free: 0, claimed: 2 });
  const last = giveBack(settle(left, open.claim, { accepted: 1, bounced: 1 }, plan), START, plan);
  expect(last.record).toMatchObject({ reserved: 1, used: 1 });
  expect(sendAll(openLedger(last.record), START).sent).toBe(99);
  expect(giveBack(fetched(fresh()), START + DAY, plan)).toMatchObject({ units: 0, record: { reserved: 0 } });
  expect(forfeited(open.ledger)).toMatchObject({ free: 0, claimed: 2 });
});

test('an address that began elsewhere begins its ledger where it stands; one to come sends nothing', () => {
  const begun = (startedOn: string) => beginRecord('192.0.2.1', 'google', START, { ...plan, startedOn });
  expect(begun('2026-04-29')).toMatchObject({ startedOn: '2026-04-29', allowance: 400 });
  expect(begun('2026-05-03').allowance).toBe(0);
  let record = begun('2026-05-03');
  for (let day = 1; day <= 3; day++) record = reserve(openLedger(record), START + day * DAY, 0, plan).record;
  expect([record.day, record.allowance]).toEqual(['2026-05-04', 100]);
});

test('a good day advances, and the slice of yesterday is worth nothing today', () => {
  const ledger = fetched(sendAll(fresh(), START).ledger, START + DAY);
  expect(stageOf(ledger.record)).toBe(2);
  expect(ledger).toMatchObject({ free: 10, claimed: 0, record: { allowance: 200, reserved: 10, used: 0 } });
  expect(ledger.record.closed).toEqual({ day: '2026-05-01', verdict: 'Advance', cause: null });
  const late = claimed(fetched(fresh()), 5);
  const tomorrow = fetched(late.ledger, START + DAY);
  expect(settle(tomorrow, late.claim, { accepted: 0 }, plan).free).toBe(tomorrow.free);
});

test.each([
  ['a day without mail does not count', { accepted: 0 }, 1, 1],
  ['nor do days nobody looked at', { accepted: 5 }, 6, 2],
  ['a month without mail makes it cold', { accepted: 5 }, 32, 1],
])('%s', (_, outcome, daysLater, stage) => {
  const { ledger, claim: one } = claimed(fetched(fresh()), 5);
  const after = outcome.accepted ? settle(ledger, one, outcome, plan) : fresh();
  expect(stageOf(fetched(after, START + daysLater * DAY).record)).toBe(stage);
});

test('a held day is repeated, and a good one resumes', () => {
  let { ledger } = sendAll(fresh(), START);
  ledger = observe(ledger, { deferred: 10 }, plan);
  ledger = fetched(ledger, START + DAY);
  expect(ledger.record).toMatchObject({
    allowance: 100,
    closed: { verdict: 'Hold', cause: { signal: 'deferred' } },
  });
  ledger = fetched(sendAll(ledger, START + DAY).ledger, START + 2 * DAY);
  expect(ledger.record.allowance).toBe(200);
});

test('past a step-back threshold the day is over at once, the reply is kept, and the next days are smaller', () => {
  let ledger = fresh();
  for (let day = 0; day < 3; day++) ledger = sendAll(ledger, START + day * DAY).ledger;
  const now = START + 3 * DAY;
  const sending = claimed(fetched(fetched(ledger, now), now), 20, now);
  ledger = settle(
    sending.ledger,
    sending.claim,
    { accepted: 5, bounced: 15, reply: '550 5.7.1 blocked' },
    plan,
  );
  expect(claim(ledger, now, 1)).toEqual({ refused: 'Suspended', until: now + DAY });
  expect(reserve(ledger, now, 10, plan).units).toBe(0);
  // It survives the holder, and good news that comes late does not make the day good.
  ledger = observe(openLedger(reserve(ledger, now, 0, plan).record), { accepted: 10_000 }, plan);
  expect(ledger.suspended).toMatchObject({ signal: 'bounced', rate: 0.75, reply: '550 5.7.1 blocked' });
  ledger = fetched(ledger, now + DAY);
  expect(ledger.record).toMatchObject({ suspended: null, allowance: 200, closed: { verdict: 'StepBack' } });
  expect(claimed(ledger, 1, now + DAY).claim.units).toBe(1);
});

test('a lowered allowance binds at once what was reserved before; a raised one gives the difference only', () => {
  const half = (perDay: number) => ({ ...plan, schedule: [{ day: 1, perDay }] });
  let ledger = fetched(fresh());
  ledger = settle(...(Object.values(claimed(ledger, 5)) as [Ledger, Claim]), { accepted: 5 }, plan);
  ledger = fetched(ledger);
  const lowered = fetched(ledger, START, 0, half(7));
  expect(claimed(lowered, 10).claim.units).toBe(2);
  const raised = reserve(fetched(ledger, START, 0, half(3)), START, 100, half(12));
  expect(raised.record.reserved).toBe(10);
});

test('a limit that comes after unlimited sending counts what was sent', () => {
  const open = { ...plan, schedule: [{ day: 1, perDay: null }] };
  const unlimited = openLedger(beginRecord('192.0.2.1', 'google', START, open));
  const { ledger, claim: one } = claimed(unlimited, 80);
  const sent = settle(ledger, one, { accepted: 80 }, open);
  expect(sendAll(fetched(sent), START).sent).toBe(20);
});

test('no clock and no time zone opens a day before the last one ended, nor the same date twice', () => {
  const { ledger } = sendAll(fresh(), START);
  for (const timeZone of ['Pacific/Kiritimati', 'Pacific/Pago_Pago', 'UTC'])
    for (const now of [START - 40 * DAY, START, START + DAY - 1])
      expect(reserve(ledger, now, 1, { ...plan, timeZone })).toMatchObject({
        units: 0,
        record: { day: '2026-05-01' },
      });
  const west = { ...plan, timeZone: 'Pacific/Pago_Pago' };
  const moved = reserve(ledger, START + DAY, 1, west).record;
  expect(moved).toMatchObject({
    day: '2026-05-01',
    reserved: 100,
    endsAt: dayAt(START + DAY, west.timeZone).endsAt,
  });
});

test('after a lost write the record is read again; what is in hand stays', () => {
  const ledger = claimed(fetched(fresh()), 2).ledger;
  const lost = reserve(ledger, START, 2, plan);
  const again = reread(ledger, lost.record);
  expect(again).toMatchObject({ free: 3, claimed: 2, record: { reserved: lost.record.reserved } });
  expect(reread(ledger, fetched(openLedger(ledger.record), START + DAY).record)).toMatchObject({
    free: 0,
    claimed: 0,
  });
});

test('the next slice is wanted at half of one, and at the end of the day', () => {
  const ledger = fetched(
    openLedger(beginRecord('192.0.2.1', 'google', START, { ...plan, schedule: [{ day: 1, perDay: 200 }] })),
  );
  expect(wantsSlice(ledger, START)).toBe(false);
  expect(wantsSlice(ledger, START + DAY)).toBe(true);
  const { ledger: busy, claim: one } = claimed(ledger, 6);
  expect(wantsSlice(busy, START)).toBe(false);
  expect(wantsSlice(settle(busy, one, { accepted: 6 }, plan), START)).toBe(true);
  expect(wantsSlice(sendAll(fresh(), START).ledger, START)).toBe(false);
});

describe('complaints', () => {
  const busy = () => {
    const { ledger, claim: one } = claimed(
      fetched(openLedger({ ...fresh().record, allowance: 30_000 }), START, 1e9, big),
      1500,
    );
    return settle(ledger, one, { accepted: 1500 }, big);
  };
  const big: WarmupPlan = { ...plan, schedule: [{ day: 1, perDay: 30_000 }] };

  test.each<[string, readonly number[], number | undefined, number, string | null]>([
    ['none', [], undefined, 0, null],
    ['two are too few', [4, 9], 9, 2, null],
    ['three of 1,500 repeat the day', [4, 9, 12], 12, 3, null],
    ['five of 1,500 end it', [4, 5, 6, 9, 12], 12, 5, 'complained'],
  ])('%s', (_, revisions, complaintsTo, complained, signal) => {
    const next = reserve(withComplaints(busy(), revisions, big), START, 1e9, big);
    expect(next.record.tally).toMatchObject({ accepted: 1500, complained });
    expect(next.record.complaintsTo).toBe(complaintsTo);
    expect(next.record.suspended?.signal ?? null).toBe(signal);
    if (signal)
      expect(next).toMatchObject({ units: 0, record: { suspended: { rate: 5 / 1500, reply: null } } });
  });

  test('each counts once, however often a ledger hears of it and whatever became of a write', () => {
    const before = busy();
    const written = reserve(withComplaints(before, [4, 9], big), START, 0, big);
    // Its answer was lost: the record is read again, on top of the ledger as it was.
    const again = withComplaints(reread(before, written.record), [4, 9, 12], big);
    expect(again.record).toMatchObject({ complaintsTo: 12, tally: { complained: 3 } });
    expect(withComplaints(confirmed(before, written), [9, 4], big).record.tally.complained).toBe(2);
    const successor = openLedger(written.record);
    expect(withComplaints(successor, [4, 9], big)).toBe(successor);
  });

  test('they say nothing of a new day, and the next one rises again', () => {
    const stopped = confirmed(busy(), reserve(withComplaints(busy(), [1, 2, 3, 4, 5], big), START, 0, big));
    expect(claim(stopped, START, 1)).toMatchObject({ refused: 'Suspended' });
    const tomorrow = withComplaints(fetched(stopped, START + DAY, 1e9, big), [1, 2, 3, 4, 5], big);
    expect(tomorrow.record).toMatchObject({ complaintsTo: 5, suspended: null, tally: { complained: 0 } });
    expect(tomorrow.record.closed).toMatchObject({ verdict: 'StepBack', cause: { signal: 'complained' } });
    expect(claim(tomorrow, START + DAY, 1)).toHaveProperty('claim');
  });
});
