// A pull that loses its request must come back by itself: after a change of leader nothing may ever be heard of it again.

import { jest } from '@jest/globals';
import type { Consumer, JetStreamClient } from '@nats-io/jetstream';
import { log } from '../../process/log.ts';
import { Budget } from './budget.ts';
import { LASTING, ORIGIN } from './incarnation.fixture.ts';
import { mailMessage } from './message.ts';
import { pull } from './pull.ts';

type Answer = 'deaf' | 'empty' | 'error' | 'message';

/** A consumer that answers its requests as told, the last answer for ever. */
function scripted(answers: Answer[]) {
  const asked: string[] = [];
  const said: string[] = [];
  const message = {
    data: new Uint8Array([1]),
    reply: '$JS.ACK.x',
    info: { streamSequence: 1, deliveryCount: 1 },
  };
  const never = new Promise<never>(() => {});
  const consumer = {
    fetch: async () => {
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      asked.push(answer ?? '');
      if (answer === 'error') throw new Error('no responders');
      const iterate = async function* () {
        if (answer === 'message') yield message;
        // An iterator that has lost its request hears nothing, its own stop included.
        if (answer === 'deaf') await never;
      };
      return Object.assign(iterate(), { stop: () => {} });
    },
    info: async () => ({ created: '2026-01-01T00:00:00Z' }),
  } as unknown as Consumer;
  let handles = 0;
  const get = async () => {
    handles++;
    return consumer;
  };
  const js = { consumers: { get } } as unknown as JetStreamClient;
  const nc = { publish: (_: string, payload: string) => void said.push(payload), request: async () => ({}) };
  return { asked, said, js, nc: nc as never, handles: () => handles };
}

function start(answers: Answer[], take = (): boolean => true) {
  const script = scripted(answers);
  const end = new AbortController();
  const budget = new Budget(10, () => false);
  const names = { stream: 's', consumer: 'c', priorityClass: 'bulk' };
  const adopt = (message: never) => mailMessage(script.nc, message, ORIGIN, () => true);
  const parts = { js: script.js, budget, log, incarnations: LASTING, ...names };
  const done = pull({ ...parts, adopt: adopt as never, take }, end.signal);
  return { ...script, budget, end, done };
}

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test('a request that is never answered ends by the watchdog, with a new handle and all its slots back', async () => {
  const pulling = start(['deaf', 'message', 'deaf']);
  await jest.advanceTimersByTimeAsync(19_000);
  expect(pulling.asked).toEqual(['deaf']);
  await jest.advanceTimersByTimeAsync(5000);
  expect(pulling.asked).toEqual(['deaf', 'message', 'deaf']);
  expect(pulling.handles()).toBe(2);
  // One slot is the message's, two are those of the request under way.
  expect(pulling.budget.used).toBe(3);
  pulling.end.abort();
  await jest.advanceTimersByTimeAsync(30_000);
  await pulling.done;
  expect(pulling.budget.used).toBe(1);
});

test.each<Answer>(['error', 'empty'])(
  'requests that end at once (%s) are not repeated as fast as the network goes',
  async (answer) => {
    const pulling = start([answer]);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(pulling.asked.length).toBeGreaterThan(5);
    expect(pulling.asked.length).toBeLessThan(60);
    pulling.end.abort();
    await jest.advanceTimersByTimeAsync(2000);
    await pulling.done;
    expect(pulling.budget.used).toBe(0);
  },
);

test('what comes after the end is given back at once', async () => {
  const end = { now: () => {} };
  const pulling = start(['message', 'message', 'deaf'], () => {
    end.now();
    return true;
  });
  end.now = () => pulling.end.abort();
  await jest.advanceTimersByTimeAsync(1000);
  await pulling.done;
  expect(pulling.asked).toEqual(['message']);
  expect(pulling.budget.used).toBe(1);
});

test('a taker that fails costs a request, not the pull', async () => {
  let fails = 1;
  const pulling = start(['message', 'message', 'deaf'], () => {
    if (fails-- > 0) throw new Error('a defect');
    return true;
  });
  await jest.advanceTimersByTimeAsync(3000);
  expect(pulling.asked).toEqual(['message', 'message', 'deaf']);
  pulling.end.abort();
  await jest.advanceTimersByTimeAsync(30_000);
  await pulling.done;
});

test('an acknowledgement can be asked for again, and answers over a closed connection do no harm', async () => {
  let answers = 0;
  const nc = {
    request: async () => {
      if (++answers === 1) throw new Error('timeout');
      return {};
    },
    publish: () => {
      throw new Error('closed');
    },
  } as never;
  const info = { streamSequence: 7, deliveryCount: 2 };
  const message = mailMessage(
    nc,
    { data: new Uint8Array(), reply: '$JS.ACK.x', info } as never,
    ORIGIN,
    () => true,
  );
  expect(message).toMatchObject({ sequence: 7, deliveries: 2 });
  await expect(message.ackAck({ timeout: 10 })).rejects.toThrow('timeout');
  await expect(message.ackAck({ timeout: 10 })).resolves.toBe(true);
  message.working();
  message.nak(5000);
});
