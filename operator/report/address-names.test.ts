import type { AddressFindings } from '../act/findings.ts';
import { listedCondition, namesCondition, namesStatus } from './address-names.ts';

const one = (address: string, more: object = {}) => ({
  ...{ address, ehlo: 'a.example', names: ['a.example'], addresses: [address] },
  ...more,
});
const found = (
  records: AddressFindings['records'],
  answers: AddressFindings['listed']['answers'] = [],
): AddressFindings => ({ records, listed: { question: '', at: 0, answers } });

test.each([
  ['all is well', [one('192.0.2.1')], 'True', 'RecordsSeen', /and back/],
  [
    'one has no PTR',
    [one('192.0.2.1'), one('192.0.2.2', { names: [] })],
    'False',
    'RecordsMissing',
    /192\.0\.2\.2 .*no PTR/,
  ],
  [
    'one has another',
    [one('192.0.2.1', { names: ['x.example'] })],
    'False',
    'RecordsDifferent',
    /another name/,
  ],
  ['DNS does not say', [one('192.0.2.1', { names: null })], 'Unknown', 'RecordsUnknown', /no answer/],
] as const)('names: %s', (_, records, status, reason, message) => {
  expect(namesCondition(found(records))).toMatchObject({ status, reason });
  expect(namesCondition(found(records)).message).toMatch(message);
});

const answer = (listed: boolean | null, zone = 'bl.example') => ({ address: '192.0.2.1', zone, listed });
test.each([
  ['none is asked', [], null],
  ['listed', [answer(null, 'silent.example'), answer(true)], 'AddressListed'],
  ['not listed', [answer(false)], 'AsExpected'],
  ['one does not answer', [answer(false), answer(null, 'silent.example')], 'RecordsUnknown'],
])('blocklists: %s', (_, answers, reason) => {
  expect(listedCondition(found([], answers))?.reason ?? null).toBe(reason);
});

test('the fields of an address', () => {
  expect(namesStatus('192.0.2.1', null)).toEqual({});
  expect(namesStatus('192.0.2.1', found([one('192.0.2.1')], [answer(true)]))).toEqual({
    names: 'Confirmed',
    reverse: 'a.example',
    listedAt: ['bl.example'],
  });
});
