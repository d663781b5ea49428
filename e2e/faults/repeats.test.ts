import type { AnswerRecord, AttemptRecord } from '../internet/record.ts';
import { repeatsOf, UNREAD } from './repeats.ts';

const copy = (at: number, recipient = 'a@x.example', outcome: AttemptRecord['outcome'] = 'delivered') =>
  ({
    kind: 'attempt',
    seq: at,
    testId: 't-1',
    at,
    recipient,
    outcome,
    source: '198.51.100.10',
  }) as AttemptRecord;
const answer = (to: number, sentAt: number, read: boolean): AnswerRecord => ({
  ...{ kind: 'answer', seq: 1e9 + to, at: sentAt + 1000, of: [to], sentAt, read },
});
const kill = { what: 'kill-delivery', from: 100_000, to: 105_000, senderDies: true };

test('one copy each, and refusals, are no repeats', () => {
  expect(repeatsOf([copy(1), copy(2, 'b@x.example'), copy(3, 'a@x.example', 'refused')], [kill])).toEqual([]);
});

test.each([
  ['just before the kill', 95_000, ['kill-delivery']],
  ['just after its end', 109_000, ['kill-delivery']],
  ['long before', 80_000, []],
  ['long after', 120_000, []],
])('a first copy %s', (_, at, because) => {
  const [repeat] = repeatsOf([copy(130_000), copy(at)], [kill]);
  expect(repeat).toMatchObject({ testId: 't-1', recipient: 'a@x.example', because });
  expect(repeat?.copies.map((one) => one.at)).toEqual([at, 130_000]);
});

test('every copy but the last needs its reason', () => {
  expect(repeatsOf([copy(100_000), copy(130_000), copy(140_000)], [kill])[0]?.because).toEqual([]);
});

test.each([
  ['of a cut', { ...kill, what: 'cut-delivery-egress', senderDies: false }, 100_000, true],
  ['of a kill', kill, 100_000, false],
])('a repeat because %s is told of by the fleet or not', (_, window, at, told) => {
  expect(repeatsOf([copy(at), copy(130_000)], [window])[0]?.told).toBe(told);
});

test('a sender that ended soon afterwards may not have told of it', () => {
  const cut = { what: 'cut-delivery-egress', from: 60_000, to: 61_000, senderDies: false };
  expect(repeatsOf([copy(60_000), copy(90_000)], [cut, kill])[0]).toMatchObject({
    because: ['cut-delivery-egress'],
    told: false,
  });
});

test('a reply that is long on its way can get lost by what comes then', () => {
  const records = [copy(20_000), answer(20_000, 101_000, true), copy(130_000)];
  expect(repeatsOf(records, [kill])[0]?.because).toEqual(['kill-delivery']);
  const early = [copy(20_000), answer(20_000, 21_000, true), copy(130_000)];
  expect(repeatsOf(early, [kill])[0]?.because).toEqual([]);
});

test('a client that went without a word may not have read the reply, and then the fleet must have counted it', () => {
  const records = [copy(20_000), answer(20_000, 20_010, false), copy(40_000)];
  expect(repeatsOf(records, [kill])[0]).toMatchObject({ because: [UNREAD], told: true });
});
