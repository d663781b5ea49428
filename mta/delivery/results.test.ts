import { queuePolicySpec } from '../../resources/kinds.ts';
import type { Recipient } from '../message/parcel.ts';
import type { Verdict } from './ports.ts';
import { awaitingBounce, type Fate, fateOf, keptFate } from './results.ts';

const HOUR = 3_600_000;
const NOW = 1_800_000_000_000;
const recipient: Recipient = {
  address: 'a@x.test',
  attempts: 1,
  dueAt: null,
  lastReply: null,
  stickySource: '192.0.2.9',
};
const at = {
  policy: queuePolicySpec.parse({ retry: { intervals: ['5m', '15m'], jitter: 0, maxAge: '5d' } }),
  now: NOW,
  acceptedAt: NOW - HOUR,
  source: '192.0.2.1',
  random: () => 0.5,
};
const reply = (text: string, phase: 'rcpt' | 'dot' | 'mail' | 'greeting' = 'rcpt'): Verdict => ({
  kind: 'reply',
  reply: text,
  phase,
});

describe('fateOf', () => {
  test.each<[string, Verdict, Fate['kind']]>([
    ['250 after the dot', reply('250 2.0.0 ok', 'dot'), 'delivered'],
    ['550 at RCPT', reply('550 5.1.1 no such user'), 'bounced'],
    ['554 after the dot', reply('554 5.7.1 spam', 'dot'), 'bounced'],
    ['450 at RCPT', reply('450 4.7.1 greylisted'), 'waits'],
    ['554 as greeting, which speaks of no recipient', reply('554 no service here', 'greeting'), 'waits'],
    ['a failed connection', { kind: 'failed', why: '4.4.1 refused' }, 'waits'],
    ['a lost reply after the dot', { kind: 'unknown', why: '4.4.2 lost' }, 'waits'],
    ['no room', { kind: 'noRoom', retryAfterSeconds: 5, why: 'limit' }, 'waits'],
    ['an abort', { kind: 'aborted' }, 'waits'],
  ])('%s', (_, verdict, kind) => {
    expect(fateOf(recipient, verdict, at).kind).toBe(kind);
  });

  test('a deferral counts an attempt, sets the due time and remembers source and reply', () => {
    expect(fateOf(recipient, reply('450 4.7.1 greylisted'), at)).toEqual({
      kind: 'waits',
      counted: true,
      recipient: {
        address: 'a@x.test',
        attempts: 2,
        dueAt: NOW + 15 * 60_000,
        lastReply: '450 4.7.1 greylisted',
        stickySource: '192.0.2.1',
      },
    });
  });

  test('no room and an abort change nothing: they are no attempts', () => {
    for (const verdict of [{ kind: 'noRoom', retryAfterSeconds: 1, why: '' }, { kind: 'aborted' }] as const)
      expect(fateOf(recipient, verdict, at)).toEqual({ kind: 'waits', recipient, counted: false });
  });

  test('a connection that failed before an address was chosen keeps the address it is bound to', () => {
    const fate = fateOf(recipient, { kind: 'failed', why: 'x' }, { ...at, source: null });
    expect(fate).toMatchObject({ recipient: { stickySource: '192.0.2.9' } });
  });

  test('an address that is refused as such is not returned to', () => {
    const fate = fateOf(recipient, reply('554 5.7.1 192.0.2.1 is listed at spamhaus', 'greeting'), at);
    expect(fate).toMatchObject({
      kind: 'waits',
      recipient: { stickySource: null, avoidSource: '192.0.2.1' },
    });
  });

  test.each([
    ['once: the second address is returned to', { avoidSource: '192.0.2.7' }, {}, '192.0.2.7'],
    ['never, when the policy says so', {}, { otherAddress: 'Never' as const }, undefined],
  ])('another address is tried %s', (_, more, retry, avoidSource) => {
    const policy = { ...at.policy, retry: { ...at.policy.retry, ...retry } };
    const verdict = reply('554 5.7.1 192.0.2.1 is listed at spamhaus', 'greeting');
    expect(fateOf({ ...recipient, ...more }, verdict, { ...at, policy })).toMatchObject({
      recipient: { stickySource: '192.0.2.1', ...(avoidSource && { avoidSource }) },
    });
  });

  test('past the maximum age a deferral is the end, with the last reply', () => {
    const old = { ...at, acceptedAt: NOW - 121 * HOUR };
    expect(fateOf(recipient, reply('451 4.3.0 later'), old)).toEqual({
      kind: 'expired',
      reply: '451 4.3.0 later',
    });
  });
});

describe('a final fate whose bounce must wait', () => {
  test.each(['bounced', 'expired'] as const)('%s is kept with the recipient and read again', (kind) => {
    const kept = awaitingBounce(recipient, { kind, reply: '550 5.1.1 no' }, NOW);
    expect(kept.dueAt).toBeGreaterThan(NOW);
    expect(keptFate(kept)).toEqual({ kind, reply: '550 5.1.1 no' });
  });
  test('an ordinary reply is none', () => {
    expect(keptFate({ ...recipient, lastReply: '550 5.1.1 no' })).toBeNull();
    expect(keptFate(recipient)).toBeNull();
  });
});
