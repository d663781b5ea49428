import { JetStreamApiError } from '@nats-io/jetstream';
import { type PublishPort, publishOnce } from './publish.ts';

const api = (code: number) => new JetStreamApiError({ code: 503, err_code: code, description: 'x' });
const timeout = () => new Error('timeout');
const noResponders = () => Object.assign(new Error('no responders'), { name: 'JetStreamNotEnabled' });
const what = { subject: 's', stream: 'S', id: 'i', data: Buffer.from('x') };

/** Answers each attempt with the next of `answers`; the last one stays. */
function port(
  answers: readonly (Error | 'stored' | 'duplicate')[],
  obstacles: readonly (string | null)[] = [null],
) {
  const ids: string[] = [];
  let asked = 0;
  const one: PublishPort = {
    async publish(_, __, { msgID }) {
      const answer = answers[Math.min(ids.length, answers.length - 1)];
      ids.push(msgID);
      if (answer instanceof Error) throw answer;
      return { duplicate: answer === 'duplicate' };
    },
    obstacle: () => obstacles[Math.min(asked++, obstacles.length - 1)] ?? null,
    maxPayload: () => 10_000,
  };
  return { one, ids };
}

test.each([
  ['stored at once', ['stored' as const], { duplicate: false }],
  ['unknown, then stored', [timeout(), 'duplicate' as const], { duplicate: true }],
  ['no leader, then stored', [noResponders(), 'stored' as const], { duplicate: false }],
  ['unknown, then full, then stored', [timeout(), api(10077), 'duplicate' as const], { duplicate: true }],
])('%s', async (_, answers, expected) => {
  const { one, ids } = port(answers);
  expect(await publishOnce(one, what, 5000)).toEqual(expected);
  expect(ids).toEqual(answers.map(() => 'i'));
});

test.each([
  ['full', [api(10077)], 'full'],
  ['too large for the stream', [api(10054)], 'tooLarge'],
  ['another stream', [api(10060)], 'unavailable'],
])('%s is a refusal, without a repeat', async (_, answers, reason) => {
  const { one, ids } = port(answers);
  await expect(publishOnce(one, what, 1000)).rejects.toMatchObject({ name: 'Refused', reason });
  expect(ids).toHaveLength(1);
});

test('a stream that is not there is refused at the horizon: the last attempt has time for its answer', async () => {
  const { one } = port([noResponders()]);
  const slow: PublishPort = {
    ...one,
    publish: async (subject, data, options) => {
      if (options.timeout < 500) throw timeout();
      return one.publish(subject, data, options);
    },
  };
  await expect(publishOnce(slow, what, 700)).rejects.toMatchObject({
    name: 'Refused',
    reason: 'unavailable',
  });
});

test('not connected is a refusal before anything is sent', async () => {
  const { one, ids } = port(['stored'], ['disconnected']);
  await expect(publishOnce(one, what, 1000)).rejects.toMatchObject({ reason: 'unavailable' });
  expect(ids).toHaveLength(0);
});

test('over the payload limit is a refusal before anything is sent', async () => {
  const { one, ids } = port(['stored']);
  await expect(publishOnce(one, { ...what, data: Buffer.alloc(9000) }, 1000)).rejects.toMatchObject({
    reason: 'tooLarge',
  });
  expect(ids).toHaveLength(0);
});

test.each([
  ['it stays unknown', [timeout()]],
  ['a refusal follows what was unknown', [timeout(), api(10077)]],
  ['an error that says nothing about storing', [api(10008)]],
])('%s: the outcome is unknown, never a refusal', async (_, answers) => {
  const { one, ids } = port(answers);
  await expect(publishOnce(one, what, 600)).rejects.toMatchObject({ name: 'OutcomeUnknown' });
  expect(ids.length).toBeGreaterThan(1);
});
