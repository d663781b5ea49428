import type { Verdict } from '../sender/record.ts';
import { type Case, type Judgement, judge } from './judge.ts';
import type { AttemptRecord, InternetRecord, MessageRecord, Outcome } from './record.ts';

const OURS = '198.51.100.10';
const session = {
  mx: 'mx.fir.example',
  mxAddress: '203.0.113.16',
  source: OURS,
  ehlo: 'mta1.demo.example',
  tls: null,
  seq: 1,
  at: 1,
};
const attempt = (
  testId: string | null,
  outcome: Outcome,
  more: Partial<AttemptRecord> = {},
): AttemptRecord => ({
  ...session,
  ...{
    kind: 'attempt',
    stage: testId === null ? 'rcpt' : 'dot',
    from: 's@demo.example',
    recipient: 'a@fir.example',
  },
  ...{ outcome, reply: '250 ok', testId },
  ...more,
});
const bounce = (testId: string, address = 'a@fir.example', action = 'failed'): MessageRecord => ({
  ...session,
  ...{ kind: 'message', from: '', recipients: ['s@demo.example'], testId: null, sha256: '', sizeBytes: 1 },
  ...{
    file: null,
    headers: '',
    answered: true,
    dsn: { testId, recipients: [{ address, action, status: '5.1.1' }] },
  },
});
const sent = (testId: string, verdict: Verdict, address = 'a@fir.example') => ({
  testId,
  recipients: [{ address, verdict }],
});
const verdict = (given: Partial<Case>): Judgement =>
  judge({ sent: [], records: [], allowedSources: [OURS], queued: 0, ...given });

type Row = [string, Case['sent'], readonly InternetRecord[], number, Partial<Judgement>];
const dropped = attempt('1', 'delivered', { reply: null });
test.each<Row>([
  [
    'delivered',
    [sent('1', 'accepted')],
    [attempt('1', 'delivered')],
    0,
    { delivered: 1, lost: 0, duplicated: 0 },
  ],
  ['lost', [sent('1', 'accepted')], [], 0, { lost: 1, delivered: 0 }],
  ['still queued', [sent('1', 'accepted')], [attempt(null, 'deferred')], 1, { lost: 0, deferred: 1 }],
  ['one queued, one lost', [sent('1', 'accepted'), sent('2', 'accepted')], [], 1, { lost: 1, deferred: 1 }],
  ['bounced', [sent('1', 'accepted')], [attempt(null, 'refused'), bounce('1')], 0, { bounced: 1, lost: 0 }],
  [
    'a notice of delay is no bounce',
    [sent('1', 'accepted')],
    [bounce('1', 'a@fir.example', 'delayed')],
    0,
    { bounced: 0, lost: 1 },
  ],
  ['the bounce of another message', [sent('1', 'accepted')], [bounce('2')], 0, { bounced: 0, lost: 1 }],
  [
    'duplicated',
    [sent('1', 'accepted')],
    [1, 2, 3].map(() => attempt('1', 'delivered')),
    0,
    { delivered: 1, duplicated: 2 },
  ],
  [
    'repeated after silence',
    [sent('1', 'accepted')],
    [dropped, attempt('1', 'delivered')],
    0,
    { duplicated: 0, repeatedAfterSilence: 1 },
  ],
  [
    'taken in silence only',
    [sent('1', 'accepted')],
    [dropped],
    0,
    { delivered: 1, repeatedAfterSilence: 0, lost: 0 },
  ],
  ['a ghost', [sent('1', 'refused')], [attempt('1', 'delivered')], 0, { ghosts: 1, delivered: 1 }],
  ['refused and gone', [sent('1', 'refused')], [], 0, { ghosts: 0, lost: 0, refusedToSender: 1 }],
  [
    'unknown may be either',
    [sent('1', 'unknown'), sent('2', 'unknown')],
    [attempt('1', 'delivered')],
    0,
    { ghosts: 0, lost: 0, unknown: 2 },
  ],
  ['contradicted', [sent('1', 'accepted')], [attempt('1', 'delivered'), bounce('1')], 0, { contradicted: 1 }],
  [
    'a stranger',
    [sent('1', 'accepted')],
    [attempt('1', 'delivered'), attempt('9', 'delivered')],
    0,
    { strangers: 1 },
  ],
  [
    'a wrong address',
    [sent('1', 'accepted')],
    [attempt('1', 'delivered', { source: '203.0.113.9' })],
    0,
    { wrongSource: 1, delivered: 1 },
  ],
  [
    'a domain in other letters',
    [sent('1', 'accepted', 'a@FIR.example')],
    [attempt('1', 'delivered')],
    0,
    { delivered: 1, strangers: 0 },
  ],
  [
    'another local part',
    [sent('1', 'accepted', 'A@fir.example')],
    [attempt('1', 'delivered')],
    0,
    { lost: 1, strangers: 1 },
  ],
])('%s', (_what, given, records, queued, expected) => {
  expect(verdict({ sent: given, records, queued })).toMatchObject(expected);
});

test('counts by provider and by source, and names what is wrong', () => {
  const judged = verdict({
    sent: [sent('1', 'accepted'), sent('2', 'accepted', 'b@elm.example')],
    records: [
      attempt(null, 'deferred'),
      attempt('1', 'delivered'),
      attempt(null, 'refused', { recipient: 'b@elm.example', source: '198.51.100.11' }),
      bounce('2', 'b@elm.example'),
    ],
  });
  expect(judged.byProvider).toEqual({
    'fir.example': { delivered: 1, bounced: 0, refused: 0, deferrals: 1 },
    'elm.example': { delivered: 0, bounced: 1, refused: 1, deferrals: 0 },
  });
  expect(judged.bySource).toMatchObject({ [OURS]: { delivered: 1 }, '198.51.100.11': { refused: 1 } });
  expect(judged.examples).toEqual(['wrong source 198.51.100.11 b@elm.example']);
});
