import { DEFAULT_THRESHOLDS } from '../../policy/warmup/health.ts';
import { type Claim, sliceOf } from '../../policy/warmup/ledger.ts';
import type { LedgerRecord, WarmupPlan } from '../../policy/warmup/record.ts';
import type { RecordStore } from '../record_store.ts';
import { LedgerConflict, LedgerKeeper } from './ledger_keeper.ts';

const DAY = 86_400_000;
const START = Date.parse('2026-05-01T12:00:00Z');
const plan: WarmupPlan = {
  schedule: [
    { day: 1, perDay: 100 },
    { day: 2, perDay: null },
  ],
  timeZone: 'UTC',
  thresholds: DEFAULT_THRESHOLDS,
  stepBackDays: 3,
  countDeferred: false,
  startedOn: null,
  keepLedgerDays: 90,
};

/** A record with compare-and-set, whose answers can be lost and which can be away. */
class Shelf implements RecordStore<LedgerRecord> {
  record: LedgerRecord | null = null;
  revision = 0;
  mode: 'Works' | 'Away' | 'AnswerLost' = 'Works';

  async read() {
    if (this.mode === 'Away') throw new Error('NATS: disconnected');
    return { record: this.record, revision: this.revision };
  }
  async write(record: LedgerRecord, revision: number) {
    if (this.mode === 'Away') throw new Error('NATS: disconnected');
    if (revision !== this.revision) throw new LedgerConflict(`not ${revision}`);
    this.record = record;
    this.revision++;
    if (this.mode === 'AnswerLost') throw new Error('timeout');
    return this.revision;
  }
}

let now = START;
let warnings: unknown[] = [];
const opened = (shelf: Shelf, by = plan) =>
  new LedgerKeeper({
    address: '192.0.2.1',
    provider: 'google',
    plan: by,
    store: shelf,
    now: () => now,
    warn: (error) => warnings.push(error),
  });
beforeEach(() => {
  now = START;
  warnings = [];
});

function taken(keeper: LedgerKeeper, want: number): Claim {
  const answer = keeper.claim(want);
  if ('refused' in answer) throw new Error(answer.refused);
  return answer.claim;
}

test('nothing is claimed before a slice is written, and the next one is fetched before it is needed', async () => {
  const shelf = new Shelf();
  const keeper = opened(shelf);
  expect(keeper.claim(1)).toEqual({ refused: 'Reserve' });
  await keeper.reserve();
  expect(shelf.record?.reserved).toBe(sliceOf(100));
  keeper.settle(taken(keeper, 4), { accepted: 4 });
  keeper.settle(taken(keeper, 1), { accepted: 1 }); // fetches in the background
  await keeper.reserve();
  expect(shelf.record?.reserved).toBeGreaterThanOrEqual(9);
  await keeper.reserve();
  expect(shelf.record).toMatchObject({ reserved: 10, used: 5 });
  expect(keeper.look()).toMatchObject({ claim: { units: 5 } });
});

test('two that both believe to be the holder share one allowance', async () => {
  const shelf = new Shelf();
  const pods = [opened(shelf), opened(shelf)];
  let sent = 0;
  for (let idle = 0; idle < 4; idle++)
    for (const keeper of pods) {
      const answer = keeper.claim(2);
      if ('refused' in answer) {
        await keeper.reserve();
        continue;
      }
      idle = 0;
      sent += answer.claim.units;
      keeper.settle(answer.claim, { accepted: answer.claim.units });
    }
  expect(sent).toBe(100);
  expect(warnings).toEqual([]);
});

test('while NATS is away what is reserved goes, and nothing more', async () => {
  const shelf = new Shelf();
  const keeper = opened(shelf);
  await keeper.reserve();
  shelf.mode = 'Away';
  expect(taken(keeper, 10).units).toBe(5);
  await keeper.reserve();
  expect(keeper.claim(1)).toEqual({ refused: 'Busy' });
  expect(keeper.failure).toBe('NATS: disconnected');
  now += DAY;
  expect(keeper.claim(1)).toEqual({ refused: 'Reserve' });
});

test('a write of unknown fate is read again: what it may have reserved is lost, not spent twice', async () => {
  const shelf = new Shelf();
  const keeper = opened(shelf);
  shelf.mode = 'AnswerLost';
  await keeper.reserve();
  expect(keeper.claim(1)).toEqual({ refused: 'Reserve' });
  shelf.mode = 'Works';
  await keeper.reserve();
  expect(shelf.record?.reserved).toBe(10);
  expect(keeper.look()).toMatchObject({ claim: { units: 5 } });
});

test('past the schedule midnight does not wait for NATS', async () => {
  const shelf = new Shelf();
  const keeper = opened(shelf, { ...plan, startedOn: '2026-04-01' });
  await keeper.reserve();
  shelf.mode = 'Away';
  now += DAY;
  const one = taken(keeper, 1000);
  expect(one).toMatchObject({ units: 1000, day: '2026-05-02' });
  keeper.settle(one, { accepted: 1000 });
  shelf.mode = 'Works';
  keeper.tick();
  await keeper.reserve();
  expect(shelf.record).toMatchObject({ day: '2026-05-02', used: 1000, allowance: null });
});

test('who leaves gives back what is free, and what comes back later', async () => {
  const shelf = new Shelf();
  const keeper = opened(shelf);
  await keeper.reserve();
  const one = taken(keeper, 2);
  await keeper.leave();
  expect(shelf.record?.reserved).toBe(2);
  expect(keeper.claim(1)).toEqual({ refused: 'Reserve' });
  expect(keeper.isIdle).toBe(false);
  keeper.settle(one, { accepted: 1, bounced: 1 });
  now += 5_000;
  keeper.tick();
  await keeper.reserve();
  expect(shelf.record).toMatchObject({ reserved: 1, used: 1, tally: { accepted: 1, bounced: 1 } });
  expect(keeper.isIdle).toBe(true);
  keeper.stay();
  await keeper.reserve();
  expect(shelf.record?.reserved).toBe(6);
});

test('who is asked again while it gives back spends nothing of that', async () => {
  const shelf = new Shelf();
  const keeper = opened(shelf);
  await keeper.reserve();
  const leaving = keeper.leave();
  await Promise.resolve();
  keeper.stay();
  expect(keeper.claim(1)).toEqual({ refused: 'Reserve' });
  await leaving;
  expect(shelf.record?.reserved).toBe(0);
  await keeper.reserve();
  expect(taken(keeper, 9).units).toBe(5);
  expect(shelf.record?.reserved).toBe(5);
});

test('what was on its way back when the answer was lost is not spent', async () => {
  const shelf = new Shelf();
  const keeper = opened(shelf);
  await keeper.reserve();
  shelf.mode = 'AnswerLost';
  await keeper.leave();
  shelf.mode = 'Works';
  keeper.stay();
  expect(keeper.claim(1)).toEqual({ refused: 'Reserve' });
  await keeper.reserve();
  expect(shelf.record?.reserved).toBe(5);
});

test('a suspension is written at once, with its reply', async () => {
  const shelf = new Shelf();
  const keeper = opened(shelf, { ...plan, schedule: [{ day: 1, perDay: 1000 }] });
  await keeper.reserve();
  keeper.settle(taken(keeper, 20), { bounced: 20, reply: '550 5.7.1 blocked' });
  expect(keeper.claim(1)).toMatchObject({ refused: 'Suspended' });
  await keeper.reserve();
  expect(shelf.record?.suspended).toMatchObject({ signal: 'bounced', reply: '550 5.7.1 blocked' });
  expect(opened(shelf).ledger).toBeNull();
});

test('a lowered plan binds at the next tick; outcomes are written when they are five seconds old', async () => {
  const shelf = new Shelf();
  const keeper = opened(shelf);
  await keeper.reserve();
  keeper.settle(taken(keeper, 3), { accepted: 3 });
  await keeper.reserve();
  keeper.setPlan({ ...plan, schedule: [{ day: 1, perDay: 4 }] });
  keeper.tick();
  await keeper.reserve();
  expect(shelf.record?.allowance).toBe(4);
  expect(taken(keeper, 9).units).toBeLessThanOrEqual(1);
  const { revision } = shelf;
  keeper.tick();
  expect(shelf.revision).toBe(revision);
});
