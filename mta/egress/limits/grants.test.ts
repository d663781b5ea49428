import { type OutcomeReport, REPORT_GRACE_MS } from '../../bus/connect.ts';
import { Pair } from '../../policy/limits/pair.ts';
import { Grants } from './grants.ts';
import type { Outcome, RoomClaim } from './port.ts';

const LIMITS = {
  connections: 2,
  messagesPerConnection: 50,
  attemptsPerMinute: null,
  messages: { minute: 100 },
};

/** A pair with one grant of ten recipients, reports on it, and time that is moved by hand. */
function scene(reports = true) {
  const timers: { at: number; run: () => void }[] = [];
  const clock = {
    time: 0,
    now: () => clock.time,
    after: (ms: number, run: () => void) => {
      const timer = { at: clock.time + ms, run };
      timers.push(timer);
      return () => timers.splice(timers.indexOf(timer), 1);
    },
  };
  const pass = (ms: number) => {
    clock.time += ms;
    for (const timer of timers.filter(({ at }) => at <= clock.time)) timer.run();
  };
  const pair = new Pair(LIMITS);
  for (let slice = 0; slice < 2; slice++) pair.confirmed({ messages: 5, attempts: 0 });
  const answer = pair.grant({ pod: 'p', account: '' }, 0, 10);
  if (answer.verdict !== 'granted') throw new Error(answer.verdict);
  const told: (Outcome | number | undefined)[] = [];
  const claim: RoomClaim = { until: null, report: (one) => told.push(one), end: (used) => told.push(used) };
  const grants = new Grants(clock);
  let dones = 0;
  const handle = grants.issue('uid-p', { grant: answer.grant, claim, pool: null }, reports, () => dones++);
  const say = (report: Partial<OutcomeReport>, uid = 'uid-p') =>
    grants.report(uid, [{ grant: handle.id, accepted: 0, deferred: 0, bounced: 0, ...report }]);
  const used = () => pair.used('minute', clock.time);
  return { pair, grants, handle, say, used, pass, told, done: () => dones, open: () => pair.connections(0) };
}

test('accepted recipients count, refused ones come back at once, the rest when the caller is done', () => {
  const { handle, say, used, told, open, done, grants } = scene();
  handle.dialled('connected');
  expect(used()).toBe(10);
  say({ accepted: 3, deferred: 2, bounced: 1, refusal: { reply: '550 no', class: 'other' } });
  expect(used()).toBe(7);
  expect(told).toEqual([{ accepted: 3, deferred: 2, ofAddress: 0, bounced: 1, reply: '550 no' }]);
  say({ accepted: 4, deferred: 2, bounced: 1, done: true });
  expect(used()).toBe(4);
  expect([open(), done(), grants.size]).toEqual([1, 1, 0]);
  handle.closed();
  expect(open()).toBe(0);
  expect(told.at(-1)).toBe(0);
});

test('a repeated report, an older one, one of another pod and one of another run change nothing', () => {
  const { handle, say, used, told } = scene();
  handle.dialled('connected');
  say({ accepted: 2, deferred: 3 });
  const before = used();
  say({ accepted: 2, deferred: 3 });
  say({ accepted: 1 });
  say({ deferred: 9, done: true }, 'uid-other');
  say({ grant: 'xxxx-0', deferred: 9, done: true });
  expect([used(), told.length]).toEqual([before, 1]);
});

test('of the deferred those count against the address of which the host says so, in whatever order', () => {
  const { handle, say, told } = scene();
  const greylisted = { reply: '451 greylisted', class: 'greylisted' };
  handle.dialled('connected');
  say({ deferred: 3, refusal: greylisted, ofAddress: { deferred: 1, reply: '421 too much' } });
  say({ deferred: 5, refusal: greylisted, ofAddress: { deferred: 1, reply: '421 too much' } });
  say({ deferred: 6, refusal: greylisted, ofAddress: { deferred: 1_000, reply: '421 still' } });
  expect(told).toEqual([
    { accepted: 0, deferred: 3, ofAddress: 1, bounced: 0, reply: '421 too much' },
    { accepted: 0, deferred: 2, ofAddress: 0, bounced: 0, reply: '451 greylisted' },
    { accepted: 0, deferred: 1, ofAddress: 1, bounced: 0, reply: '421 still' },
  ]);
});

test('of the deferred of a caller of the release before all count as the last reply', () => {
  const { handle, say, told } = scene();
  handle.dialled('connected');
  say({ deferred: 2, refusal: { reply: '451 greylisted', class: 'greylisted' } });
  say({ deferred: 4, refusal: { reply: '421 too much', class: 'rate-limited' } });
  expect(told).toMatchObject([
    { deferred: 2, ofAddress: 0 },
    { deferred: 2, ofAddress: 2 },
  ]);
});

test('more than was granted is not believed', () => {
  const { handle, say, used } = scene();
  handle.dialled('connected');
  say({ accepted: 0, deferred: 1_000_000 });
  expect(used()).toBe(0);
  say({ accepted: 1_000_000, deferred: 1_000_000 });
  expect(used()).toBe(0);
});

test('what is not reported in time counts as used, and a later report means nothing', () => {
  const { handle, say, used, pass, told, open } = scene();
  handle.dialled('connected');
  say({ accepted: 1, deferred: 4 });
  handle.closed();
  expect([open(), used()]).toEqual([0, 6]);
  pass(REPORT_GRACE_MS);
  say({ accepted: 1, deferred: 9, done: true });
  expect(used()).toBe(6);
  expect(told.at(-1)).toBeUndefined();
});

test('the last report may come after the connection has gone', () => {
  const { handle, say, used, pass } = scene();
  handle.dialled('connected');
  handle.closed();
  pass(REPORT_GRACE_MS - 1);
  say({ accepted: 5, done: true });
  pass(REPORT_GRACE_MS);
  expect(used()).toBe(5);
});

test('a caller of the release before has used all of it', () => {
  const { handle, used, grants } = scene(false);
  handle.dialled('connected');
  handle.closed();
  expect([used(), grants.size]).toEqual([10, 0]);
});

test('a connection that was never there has used nothing', () => {
  const { handle, used, grants } = scene(false);
  handle.dialled('failed');
  handle.closed();
  expect([used(), grants.size]).toEqual([0, 0]);
});
