import { type Ask, type Asked, Limiter, wanted } from './limiter.ts';
import type { OtherRoom, Room } from './port.ts';

const LIMITS = { connections: 2, messagesPerConnection: 100, attemptsPerMinute: null, messages: {} };
const ask: Ask = {
  ...{ pod: 'p', account: 'a', address: '192.0.2.1', provider: 'google', want: 1, limits: LIMITS, epoch: 1 },
  onDone: () => {},
  onEnd: () => {},
};

test.each<readonly [string, number | null, number, number]>([
  ['no limit: a whole connection, however little waits now', 1, Number.POSITIVE_INFINITY, 100],
  ['plenty of room: the same', 1, 10_000, 100],
  ['a tight limit: what waits, or an eighth of the room', 1, 100, 12],
  ['little room: what waits', 3, 4, 3],
  ['no room: one, to be refused by name', 0, 0, 1],
  ['a caller that does not say', null, 10, 100],
])('%s', (_, want, room, expected) => {
  expect(wanted({ want, limits: LIMITS }, room)).toBe(expected);
});

function limiterWith(room: Room, claimed: number[] = []) {
  const other: OtherRoom = {
    room: () => room,
    reserve: async () => {},
    claim: (_, __, recipients) => {
      claimed.push(recipients);
      return null;
    },
  };
  const store = () => ({ read: async () => ({ record: null, revision: 0 }), write: async () => 1 });
  const warn = (error: unknown) => {
    throw error;
  };
  const clock = { now: () => 0, after: () => () => {} };
  return new Limiter({ uid: 'e', clock, wallNow: () => 0, store, other, warn });
}
async function asked(limiter: Limiter, change: Partial<Ask> = {}): Promise<Asked> {
  for (;;) {
    const answer = limiter.ask({ ...ask, ...change });
    if (answer.verdict !== 'wait') return answer;
    await answer.until;
  }
}

test('a grant is bounded by the other room, which is told what was taken of it', async () => {
  const claimed: number[] = [];
  const limiter = limiterWith({ kind: 'open', recipients: 7 }, claimed);
  expect(await asked(limiter, { want: 50 })).toMatchObject({ verdict: 'granted', recipients: 7 });
  expect(claimed).toEqual([7]);
});

test('no other room: its own reason and time', async () => {
  const none = { kind: 'none', reason: 'ConnectionLimit', message: 'not today', retryMs: 5 } as const;
  expect(await asked(limiterWith(none))).toMatchObject({ verdict: 'refused', ...{ message: 'not today' } });
});

test('connections are counted, and a refusal names the limit', async () => {
  const limiter = limiterWith({ kind: 'open', recipients: Number.POSITIVE_INFINITY });
  await asked(limiter);
  await asked(limiter);
  const third = await asked(limiter);
  expect(third).toMatchObject({ verdict: 'refused', reason: 'ConnectionLimit' });
  expect('message' in third && third.message).toBe('2 connections from 192.0.2.1 to google are open');
});

test('a successor of another epoch starts from the record, not from memory', async () => {
  const limiter = limiterWith({ kind: 'open', recipients: Number.POSITIVE_INFINITY });
  await asked(limiter);
  await asked(limiter);
  expect(await asked(limiter, { epoch: 2 })).toMatchObject({ verdict: 'granted' });
});
