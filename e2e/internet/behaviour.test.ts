import { answerDot, answerRcpt, type Behaviour, chosen, networkOf } from './behaviour.ts';

const facts = { recipient: 'ada@fir.example', tripleAgeSeconds: 0, recipientAgeSeconds: 0, smtpUtf8: false };

test.each<[string, Behaviour, Partial<typeof facts>, string]>([
  ['accepts', {}, {}, '250'],
  ['greylists what it sees first', { greylistSeconds: 10 }, { tripleAgeSeconds: 9.9 }, '451'],
  ['takes what it has seen long enough ago', { greylistSeconds: 10 }, { tripleAgeSeconds: 10 }, '250'],
  ['defers all', { defer: { share: 1, forSeconds: 5 } }, { recipientAgeSeconds: 4 }, '452'],
  ['and then takes them', { defer: { share: 1, forSeconds: 5 } }, { recipientAgeSeconds: 5 }, '250'],
  ['defers none', { defer: { share: 0, forSeconds: 5 } }, {}, '250'],
  ['refuses by name', { refuse: { localParts: ['ada'] } }, {}, '550'],
  [
    'refuses all, in its own words',
    { refuse: { share: 1, reply: '554 5.7.1 go away' } },
    {},
    '554 5.7.1 go away',
  ],
  ['refuses before it greylists', { refuse: { share: 1 }, greylistSeconds: 9 }, {}, '550'],
  ['has no UTF-8 addresses', {}, { recipient: 'jörg@fir.example', smtpUtf8: true }, '553'],
  [
    'has them, when asked properly',
    { smtpUtf8: true },
    { recipient: 'jörg@fir.example', smtpUtf8: true },
    '250',
  ],
  ['has them, when asked without SMTPUTF8', { smtpUtf8: true }, { recipient: 'jörg@fir.example' }, '553'],
])('%s', (_what, behaviour, change, reply) => {
  expect(answerRcpt(behaviour, { ...facts, ...change })).toMatch(new RegExp(`^${reply}`));
});

test('after the dot: takes, refuses, or drops the first times with or without having taken', () => {
  const drop = (record: boolean) => ({ dropAfterDot: { share: 1, record, times: 2 } });
  expect(answerDot({}, 'm', 0)).toEqual({ take: true, reply: '250 2.0.0 ok' });
  expect(answerDot(drop(true), 'm', 1)).toEqual({ take: true, reply: null });
  expect(answerDot(drop(false), 'm', 1)).toEqual({ take: false, reply: null });
  expect(answerDot(drop(false), 'm', 2)).toMatchObject({ take: true });
  const refuse = { refuseMessage: { share: 1, reply: '554 5.6.0 spam' } };
  expect(answerDot(refuse, 'm', 0)).toEqual({ take: false, reply: '554 5.6.0 spam' });
});

test('a share is about that share, and always the same recipients', () => {
  const names = Array.from({ length: 2000 }, (_, i) => `user${i}@fir.example`);
  const share = names.filter((name) => chosen(name, 'refuse', 0.1));
  expect(share.length).toBeGreaterThan(150);
  expect(share.length).toBeLessThan(250);
  expect(names.filter((name) => chosen(name.toUpperCase(), 'refuse', 0.1))).toEqual(share);
});

test('greylisting knows networks', () => {
  expect(networkOf('198.51.100.10')).toBe(networkOf('198.51.100.13'));
  expect(networkOf('198.51.100.10')).not.toBe(networkOf('198.51.101.10'));
  expect(networkOf('2001:db8:1:2::1')).toBe(networkOf('2001:db8:1:2::9'));
});
