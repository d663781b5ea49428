// What each ending of a transaction with two recipients means for them.
import { type Ending, type SmtpError, verdictsOfFailure, verdictsOfReply } from './endings.ts';

const [A, B] = ['a@one.test', 'b@one.test'];
const failure = (more: Partial<SmtpError>, message = 'lost'): SmtpError =>
  Object.assign(new Error(message), more);
const reply = (text: string, phase: string) => ({ kind: 'reply', reply: text, phase });
const refusedA = failure({ recipient: A, response: '550 5.1.1 no such user' });
const running: Ending = { host: 'mx.one.test', pastDot: false, aborted: false, rejected: [] };

test('the reply to the final dot is not that of whom the host had refused', () => {
  expect(verdictsOfReply({ rejected: [A], rejectedErrors: [refusedA], response: '250 ok' }, [A, B])).toEqual([
    reply('550 5.1.1 no such user', 'rcpt'),
    reply('250 ok', 'dot'),
  ]);
});

const failed = { kind: 'failed', why: '4.4.2 mx.one.test: lost' };
test.each<[string, Partial<SmtpError>, Partial<Ending>, object, object?]>([
  ['a close before the dot', {}, {}, failed],
  ['a close of ours', {}, { aborted: true }, { kind: 'aborted' }],
  ['a close after the dot', {}, { pastDot: true }, { kind: 'unknown', why: failed.why }],
  ['a close of ours after it', {}, { pastDot: true, aborted: true }, { kind: 'unknown', why: failed.why }],
  ['a 421 on the way', { response: '421 busy' }, {}, reply('421 busy', 'mail')],
  ['a 421 after the dot', { response: '421 busy' }, { pastDot: true }, { kind: 'unknown', why: failed.why }],
  [
    'a refusal of the sender',
    { code: 'EENVELOPE', command: 'MAIL FROM', response: '550 no' },
    {},
    reply('550 no', 'mail'),
  ],
  [
    'a refusal of DATA',
    { code: 'EENVELOPE', command: 'DATA', response: '451 later' },
    { rejected: [refusedA] },
    reply('550 5.1.1 no such user', 'rcpt'),
    reply('451 later', 'data'),
  ],
  [
    'a refusal of the text',
    { code: 'EMESSAGE', response: '554 spam' },
    { rejected: [refusedA], pastDot: true },
    reply('550 5.1.1 no such user', 'rcpt'),
    reply('554 spam', 'dot'),
  ],
  [
    'a close after the dot when one was refused',
    {},
    { rejected: [refusedA], pastDot: true },
    reply('550 5.1.1 no such user', 'rcpt'),
    { kind: 'unknown', why: failed.why },
  ],
  ['a close before the dot when one was refused', {}, { rejected: [refusedA] }, failed],
  ['a text that the library refuses', { code: 'EMESSAGE' }, {}, reply('552 5.3.4 lost', 'mail')],
  ['an address that it refuses', { code: 'EENVELOPE' }, {}, reply('553 5.1.3 lost', 'rcpt')],
  [
    'a refusal of everybody',
    { rejectedErrors: [refusedA], response: '550 nobody' },
    {},
    reply('550 5.1.1 no such user', 'rcpt'),
    reply('550 nobody', 'rcpt'),
  ],
])('%s', (_what, error, ending, forA, forB = forA) => {
  expect(verdictsOfFailure(failure(error), [A, B], { ...running, ...ending })).toEqual([forA, forB]);
});
