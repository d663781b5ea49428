import { jest } from '@jest/globals';
import { log } from '../../process/log.ts';
import { ORIGIN } from './incarnation.fixture.ts';
import { Incarnation, Incarnations } from './incarnation.ts';
import { mailMessage } from './message.ts';

const STREAM = 'MAIL_mail_main_0';

/** A server whose stream is made anew as told, and which answers when it is told to. */
function server() {
  const state = {
    created: 'first' as string | null,
    asked: 0,
    gone: [] as string[],
    waiting: [] as (() => void)[],
    isSlow: false,
  };
  const created = async () => {
    state.asked++;
    const answer = state.created;
    if (state.isSlow) await new Promise<void>((resolve) => state.waiting.push(resolve));
    if (answer === null) throw new Error('stream not found');
    return answer;
  };
  const incarnations = new Incarnations(created, (stream) => state.gone.push(stream), log);
  return { state, incarnations };
}

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('what is known of a stream', () => {
  test.each([
    ['is the same after a new connection', 'first', 'current'],
    ['was made anew before it', 'second', 'gone'],
    ['is not there', null, 'unknown'],
  ])('one that %s', async (_, created, standing) => {
    const { state, incarnations } = server();
    const before = await incarnations.check(STREAM);
    expect(before.standing).toBe('current');
    incarnations.disconnected();
    expect(before.standing).toBe('unknown');
    state.created = created;
    incarnations.reconnected();
    await jest.advanceTimersByTimeAsync(0);
    expect(before.standing).toBe(standing);
    expect(state.gone).toEqual(standing === 'gone' ? [STREAM] : []);
  });

  test('one that is missing is asked for until it is there again, and then it is another', async () => {
    const { state, incarnations } = server();
    const before = await incarnations.check(STREAM);
    state.created = null;
    await expect(incarnations.check(STREAM)).rejects.toThrow('stream not found');
    await jest.advanceTimersByTimeAsync(5000);
    expect(before.standing).toBe('unknown');
    state.created = 'second';
    await jest.advanceTimersByTimeAsync(1000);
    expect(before.standing).toBe('gone');
    const { asked } = state;
    await jest.advanceTimersByTimeAsync(60_000);
    expect(state.asked).toBe(asked);
  });

  test('an answer serves those who are content with one of a moment before, while nothing puts it in question', async () => {
    const { state, incarnations } = server();
    const first = await incarnations.check(STREAM);
    await jest.advanceTimersByTimeAsync(90);
    expect(await incarnations.check(STREAM, 100)).toBe(first);
    expect(state.asked).toBe(1);
    await jest.advanceTimersByTimeAsync(20);
    expect(await incarnations.check(STREAM, 100)).toBe(first);
    expect(state.asked).toBe(2);
    incarnations.disconnected();
    incarnations.reconnected();
    await incarnations.check(STREAM, 100);
    expect(state.asked).toBe(3);
  });

  test('one that is gone stays so', async () => {
    const { state, incarnations } = server();
    const before = await incarnations.check(STREAM);
    state.created = 'second';
    await incarnations.check(STREAM);
    state.created = 'first';
    expect(await incarnations.check(STREAM)).not.toBe(before);
    expect(before.standing).toBe('gone');
  });

  test('an answer from before the question does not settle it', async () => {
    const { state, incarnations } = server();
    const before = await incarnations.check(STREAM);
    state.isSlow = true;
    const [one, two, three] = [1, 2, 3].map(() => incarnations.check(STREAM));
    await jest.advanceTimersByTimeAsync(0);
    // The first is under way, with the answer of this moment; the second is asked after it, and serves the third.
    const later = incarnations.check(STREAM);
    state.created = 'second';
    state.waiting.shift()?.();
    await jest.advanceTimersByTimeAsync(0);
    expect(before.standing).toBe('unknown');
    state.waiting.shift()?.();
    await jest.advanceTimersByTimeAsync(0);
    expect(before.standing).toBe('gone');
    expect((await Promise.all([one, two, three, later])).map((found) => found?.created)).toEqual([
      'first',
      'first',
      'first',
      'second',
    ]);
    expect(state.asked).toBe(3);
  });

  test('without a connection nothing is asked, and what was under way is not waited for', async () => {
    const { state, incarnations } = server();
    await incarnations.check(STREAM);
    state.isSlow = true;
    const underWay = incarnations.check(STREAM);
    await jest.advanceTimersByTimeAsync(0);
    const { connection } = incarnations;
    incarnations.disconnected();
    await expect(underWay).rejects.toThrow('the connection was lost');
    expect(connection.aborted).toBe(true);
    await expect(incarnations.check(STREAM)).rejects.toThrow('no connection');
    expect(state.asked).toBe(2);
    state.isSlow = false;
    incarnations.reconnected();
    await jest.advanceTimersByTimeAsync(0);
    expect((await incarnations.check(STREAM)).standing).toBe('current');
  });
});

describe('what is said to a stream', () => {
  function delivery(isPulled = true) {
    const said: string[] = [];
    let asked = 0;
    const incarnation = new Incarnation('first', () => asked++);
    const answers = { come: true };
    const nc = {
      publish: (_: string, payload: string) => void said.push(payload),
      request: async (_: string, payload: string) => {
        said.push(payload);
        if (!answers.come) throw new Error('timeout');
      },
    } as never;
    const info = { streamSequence: 7, deliveryCount: 1 };
    const raw = { data: new Uint8Array(), reply: '$JS.ACK.x', info } as never;
    const message = mailMessage(nc, raw, { incarnation, consumerMadeAt: 0 }, () => isPulled);
    return { message, incarnation, said, answers, asked: () => asked };
  }

  test.each([
    ['current', ['+ACK', '+WPI', '-NAK']],
    ['gone', []],
  ] as const)('while it is %s', async (standing, expected) => {
    const { message, incarnation, said } = delivery();
    incarnation.standing = standing;
    expect(await message.ackAck({ timeout: 1000 })).toBe(true);
    message.working();
    message.nak();
    expect(said).toEqual(expected);
    expect(message.isGone).toBe(standing === 'gone');
  });

  test('while it is unknown: nothing; an acknowledgement waits its time for that to end', async () => {
    const { message, incarnation, said } = delivery();
    incarnation.standing = 'unknown';
    message.working();
    message.nak();
    const late = expect(message.ackAck({ timeout: 1000 })).rejects.toThrow('not known');
    await jest.advanceTimersByTimeAsync(1000);
    await late;
    const waits = message.ackAck({ timeout: 1000 });
    await jest.advanceTimersByTimeAsync(500);
    expect(said).toEqual([]);
    incarnation.standing = 'current';
    expect(await waits).toBe(true);
    expect(said).toEqual(['+ACK']);
  });

  test('an answer that does not come puts the stream in question', async () => {
    const { message, answers, asked } = delivery();
    answers.come = false;
    await expect(message.ackAck({ timeout: 1000 })).rejects.toThrow('timeout');
    expect(asked()).toBe(1);
  });

  test('when another pod may pull it, it is looked at before each acknowledgement', async () => {
    const { message, asked } = delivery(false);
    await message.ackAck({ timeout: 1000 });
    await message.ackAck({ timeout: 1000 });
    expect(asked()).toBe(2);
  });
});

test.each([
  ['older than its consumer', -1, 1, 2],
  ['older, and delivered again by it', -1, 5, 5],
  ['of the same age', 0, 1, 1],
  ['younger', 1, 1, 1],
  ['younger, and delivered again', 1, 2, 2],
])('a message %s: how often it may have been delivered', (_, ageMs, deliveryCount, deliveries) => {
  const timestampNanos = (ORIGIN.consumerMadeAt + ageMs) * 1_000_000 + 999;
  const info = { streamSequence: 7, deliveryCount, timestampNanos };
  const raw = { data: new Uint8Array(), reply: '$JS.ACK.x', info } as never;
  expect(mailMessage({} as never, raw, ORIGIN, () => true).deliveries).toBe(deliveries);
});
