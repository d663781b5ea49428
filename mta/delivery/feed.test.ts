import type { HopId, Parcel } from '../message/parcel.ts';
import type { Spool, SpoolEntry } from '../spool/port.ts';
import { Busy } from './busy.ts';
import { Feed, type FeedParts, groupEntries } from './feed.ts';
import { Hand } from './hand.ts';
import type { MailMessage } from './ports.ts';
import { Scheduler } from './scheduler.ts';

const HOP = 'a'.repeat(32) as HopId;
const entry = (index: number, address: string): SpoolEntry => ({
  hopId: HOP,
  index,
  recipient: { address, attempts: 0, dueAt: null, lastReply: null, stickySource: null },
});
const ENTRIES = [entry(0, 'a@one.example'), entry(1, 'b@two.example')];
const message = { data: new Uint8Array(), sequence: 1 } as unknown as MailMessage;

function feedOver(hand: Hand, scheduler: Scheduler): Feed {
  const spool = {
    due: (_now: number, _limit: number, skip: (one: SpoolEntry) => boolean) =>
      ENTRIES.filter((one) => !skip(one)),
    parcel: () => ({
      header: { hopId: HOP, account: 'acme', priorityClass: 'bulk' },
      messageBytes: 1,
      moving: null,
    }),
  } as unknown as Spool;
  const route = async (domain: string) => ({
    kind: 'site' as const,
    site: domain,
    provider: domain,
    hosts: [],
  });
  const clock = { now: () => 1000, monotonic: () => 1000 };
  const parts = {
    spool,
    scheduler,
    heldBack: (hopId: HopId) => hand.has(hopId),
    clock,
    route,
    busy: new Busy(),
    lane: () => '',
    knownSite: () => null,
    concurrency: () => 5,
    open: () => true,
    pump: () => {},
  };
  return new Feed(parts as unknown as FeedParts);
}

describe('the feed', () => {
  test('offers a task per domain, each with its own recipients only', async () => {
    const scheduler = new Scheduler();
    feedOver(new Hand(), scheduler).fill();
    await Promise.resolve().then(() => Promise.resolve());
    const tasks = [scheduler.next(1000), scheduler.next(1000)];
    expect(tasks.map((task) => [task?.domain, task?.indexes])).toEqual([
      ['one.example', [0]],
      ['two.example', [1]],
    ]);
  });

  test('leaves a parcel alone that is still in hand: its copy is not durable yet, or not acknowledged', async () => {
    const [hand, scheduler] = [new Hand(), new Scheduler()];
    const held = hand.add(HOP, 0, message, { hopId: HOP } as Parcel, 0);
    const feed = feedOver(hand, scheduler);
    feed.fill();
    await Promise.resolve().then(() => Promise.resolve());
    expect(scheduler.next(1000)).toBeNull();
    hand.release(held);
    feed.fill();
    await Promise.resolve().then(() => Promise.resolve());
    expect(scheduler.next(1000)).toBeNull();
    hand.remove(held);
    feed.fill();
    await Promise.resolve().then(() => Promise.resolve());
    expect(scheduler.next(1000)?.indexes).toEqual([0]);
  });

  test('recipients of one parcel are grouped by domain', () => {
    expect(groupEntries(ENTRIES).map(({ domain }) => domain)).toEqual(['one.example', 'two.example']);
  });
});
