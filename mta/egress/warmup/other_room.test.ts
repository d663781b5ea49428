import { warmupSpec } from '../../../resources/warmup.ts';
import { sliceOf } from '../../policy/warmup/ledger.ts';
import type { LedgerRecord } from '../../policy/warmup/record.ts';
import type { RoomClaim } from '../limits/port.ts';
import type { RecordStore } from '../record_store.ts';
import { LedgerConflict } from './ledger_keeper.ts';
import { warmupRoom } from './other_room.ts';
import { Warmup } from './warmup.ts';

const NOON = Date.parse('2026-05-01T12:00:00Z');
const YOUNG = '192.0.2.1';

function world(perDay = 200, more: object = {}) {
  const schedules = { google: [{ day: 1, perDay }] };
  const addresses = [{ address: YOUNG }, { address: '192.0.2.2', warmed: true }];
  const state = {
    now: NOON,
    away: false,
    ipPool: { addresses, warmup: warmupSpec.parse({ schedules, ...more }) },
  };
  let kept: LedgerRecord | null = null;
  let revision = 0;
  const store: RecordStore<LedgerRecord> = {
    read: async () => {
      if (state.away) throw new Error('NATS: disconnected');
      return { record: kept, revision };
    },
    write: async (record, at) => {
      if (state.away) throw new Error('NATS: disconnected');
      if (at !== revision) throw new LedgerConflict('other');
      kept = record;
      return ++revision;
    },
  };
  const warmup = new Warmup({
    ipPool: () => state.ipPool,
    store: () => store,
    now: () => state.now,
    warn: () => {},
  });
  const other = warmupRoom(warmup);
  const room = () => other.room(YOUNG, 'google');
  const reserved = async () => {
    await other.reserve(YOUNG, 'google');
    return room();
  };
  const take = (units: number): RoomClaim => {
    const claim = other.claim(YOUNG, 'google', units);
    if (!claim) throw new Error('nothing');
    return claim;
  };
  return { state, warmup, other, room, reserved, take, record: () => kept };
}
const outcome = (more: object) => ({ accepted: 0, deferred: 0, ofAddress: 0, bounced: 0, ...more });

test('a warmed address has no limit, and nothing is counted', () => {
  const { other } = world();
  expect(other.room('192.0.2.2', 'google')).toEqual({ kind: 'open', recipients: Infinity });
  expect(other.claim('192.0.2.2', 'google', 10)).toBeNull();
});

test('a young one has what is reserved, until its day ends', async () => {
  const { room, reserved, take, warmup } = world();
  expect(room()).toEqual({ kind: 'reserve' });
  expect(await reserved()).toEqual({ kind: 'open', recipients: sliceOf(200) });
  const claim = take(10);
  expect(claim.until).toBe(Date.parse('2026-05-02T00:00:00Z'));
  expect(room()).toMatchObject({ kind: 'none', reason: 'WarmupBusy' });
  expect(warmup.day(YOUNG, 'google')).toEqual({ room: 190, allowance: 200, endsInSeconds: 12 * 3600 });
  claim.report(outcome({ accepted: 4, bounced: 1 }));
  claim.end(0);
  expect(room()).toEqual({ kind: 'open', recipients: 6 });
});

test('used up, it says until when, and nobody is heard twice', async () => {
  const { room, reserved, take } = world(2);
  for (let sent = 0; sent < 2; sent++) {
    await reserved();
    const claim = take(1);
    claim.end();
    claim.end();
    claim.report(outcome({ accepted: 1 }));
  }
  await reserved();
  expect(room()).toMatchObject({ kind: 'none', reason: 'WarmupExhausted', retryMs: 12 * 3_600_000 });
});

test('only deferrals that speak of the address stop it', async () => {
  const greylisted = outcome({ deferred: 100, reply: '451 greylisted' });
  const limited = outcome({ deferred: 100, ofAddress: 100, reply: '421 4.7.0 too much' });
  const { room, reserved, take } = world(2000);
  await reserved();
  const first = take(100);
  first.report(greylisted);
  first.end(0);
  expect(room()).toMatchObject({ kind: 'open' });
  take(100).report(limited);
  expect(room()).toMatchObject({
    reason: 'WarmupSuspended',
    message: expect.stringContaining('421 4.7.0 too much'),
  });
});

test('deferrals of any kind cost what the policy says', async () => {
  for (const [countDeferred, left] of [
    [true, 0],
    [false, 5],
  ] as const) {
    const { room, reserved, take, record } = world(100, { countDeferred });
    await reserved();
    const claim = take(5);
    claim.report(outcome({ deferred: 5 }));
    claim.end(0);
    expect(room()).toMatchObject(left ? { kind: 'open', recipients: left } : { kind: 'reserve' });
    await reserved();
    expect(record()?.used).toBe(countDeferred ? 5 : 0);
  }
});

test('without NATS it says so, and tries again after a while', async () => {
  const { state, reserved, room } = world();
  state.away = true;
  expect(await reserved()).toMatchObject({
    reason: 'WarmupUnavailable',
    message: expect.stringContaining('NATS: disconnected'),
  });
  state.now += 2_000;
  expect(room()).toEqual({ kind: 'reserve' });
});

test('in the last seconds of a day nothing begins', async () => {
  const { state, reserved, room } = world();
  await reserved();
  state.now = Date.parse('2026-05-01T23:59:58Z');
  expect(room()).toMatchObject({ reason: 'WarmupBusy' });
});

test('what a day is left with is forgotten when it is over, and taken up where it was', async () => {
  const { state, warmup, reserved, take, room } = world();
  await reserved();
  take(3).end();
  await warmup.left(YOUNG);
  warmup.tick();
  expect(room()).toEqual({ kind: 'reserve' });
  expect(await reserved()).toEqual({ kind: 'open', recipients: 10 });
  expect(warmup.day(YOUNG, 'google')?.room).toBe(197);
  const young = state.ipPool;
  state.ipPool = { ...young, addresses: [{ address: YOUNG, warmed: true }] };
  warmup.replan();
  expect(room()).toEqual({ kind: 'open', recipients: Infinity });
  state.ipPool = young;
  warmup.replan();
  expect(await reserved()).toEqual({ kind: 'open', recipients: 10 });
});

test('what nobody asks for goes back after ten minutes', async () => {
  const { state, warmup, reserved, record } = world();
  await reserved();
  expect(record()?.reserved).toBe(10);
  state.now += 600_001;
  warmup.tick();
  await warmup.close();
  warmup.tick();
  expect(record()?.reserved).toBe(0);
  expect(await reserved()).toEqual({ kind: 'open', recipients: 10 });
});
