import type { Recipient } from '../message/parcel.ts';
import { parcelOf } from '../spool/fixtures.ts';
import type { DuePlace, SpoolEntry } from '../spool/port.ts';
import { Hand } from './hand.ts';
import { Workload } from './workload.ts';

const recipient = (address: string, lastReply: string | null = null): Recipient => ({
  ...{ address, attempts: 0, dueAt: null, lastReply, stickySource: null },
});

function scene(addresses: readonly Recipient[], over: { full?: readonly string[]; stepsOf?: number } = {}) {
  const entries = addresses.map((one, index): SpoolEntry => ({ hopId: 'h' as never, index, recipient: one }));
  const at = { now: 0, open: true, engaged: false, entries, full: new Set(over.full ?? []) };
  const hand = new Hand();
  const workload = new Workload({
    spool: {
      duePage(_, after, limit) {
        at.now += over.stepsOf ? 8 : 0;
        const from = after === null ? 0 : Number(after);
        const to = from + Math.min(limit, over.stepsOf ?? limit);
        const place = to < at.entries.length ? (String(to) as DuePlace) : null;
        return { entries: at.entries.slice(from, to), place };
      },
      parcel: () => ({ header: { engaged: at.engaged } }) as never,
    },
    hand,
    scheduler: { isFull: (site) => at.full.has(site) },
    lane: (header) => (header()?.engaged ? ' engaged' : ''),
    knownSite: (domain) => (domain === 'new.test' ? null : domain),
    open: () => at.open,
    clock: { now: () => at.now, monotonic: () => at.now },
  });
  return { at, hand, workload };
}

test('ready is what is due where there is room, or where nobody has been yet; the rest is limited', () => {
  const due = ['a@x.test', 'b@x.test', 'c@full.test', 'd@new.test'].map((one) => recipient(one));
  const { workload } = scene([...due, recipient('e@x.test', '!bounced 550 no')], { full: ['full.test'] });
  expect(workload.counted()).toBeNull();
  workload.step();
  expect(workload.counted()).toEqual({ ready: 3, limited: 1 });
});

test('mail of a lane that is full is limited, though the site has room for others', () => {
  const { at, workload } = scene([recipient('a@x.test')], { full: ['x.test engaged'] });
  workload.step();
  expect(workload.counted()).toEqual({ ready: 1, limited: 0 });
  at.engaged = true;
  at.now += 1000;
  workload.step();
  expect(workload.counted()).toEqual({ ready: 0, limited: 1 });
});

test('what is in hand counts as well, unless an attempt for it is under way', () => {
  const { hand, workload } = scene([]);
  const add = (n: number) => {
    const parcel = parcelOf(n, { recipients: [recipient('a@x.test')] });
    return hand.add(parcel.hopId, 0, { sequence: n, data: Buffer.alloc(1) } as never, parcel, 0);
  };
  add(1);
  add(2).attempting = true;
  hand.release(add(3));
  workload.step();
  expect(workload.counted()).toEqual({ ready: 1, limited: 0 });
});

test('a long spool is looked through in steps; it is unknown until it was seen whole, and then never less than what is found anew', () => {
  const many = Array.from({ length: 30 }, () => recipient('a@x.test'));
  const { at, workload } = scene(many, { stepsOf: 10 });
  workload.step();
  workload.step();
  expect(workload.counted()).toBeNull();
  workload.step();
  expect(workload.counted()).toEqual({ ready: 30, limited: 0 });
  at.entries = [...at.entries, ...at.entries];
  at.now += 1000;
  for (let n = 0; n < 5; n++) workload.step();
  expect(workload.counted()).toEqual({ ready: 50, limited: 0 });
  at.full.add('x.test');
  at.entries = [];
  workload.step();
  expect(workload.counted()?.ready).toBe(50);
  at.now += 1000;
  workload.step();
  expect(workload.counted()).toEqual({ ready: 0, limited: 0 });
});

test('while nothing may be sent at all, it is unknown; what was sent is known all the same', () => {
  const { at, workload } = scene([recipient('a@x.test')]);
  workload.step();
  workload.attempted([
    { kind: 'reply', reply: '250 ok', phase: 'dot' },
    { kind: 'noRoom', retryAfterSeconds: 1, why: 'full' },
    { kind: 'unknown', why: 'lost' },
  ]);
  at.now += 1000;
  expect(workload.work(8)).toEqual({ ready: 1, limited: 0, waiting: 7, perSecond: 0.2 });
  at.open = false;
  expect(workload.work(8)).toEqual({ ready: null, limited: null, waiting: null, perSecond: 0.2 });
});
