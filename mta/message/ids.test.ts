import { bounceId, headersForBounce, ORIGINAL_HEADERS_MAX_BYTES } from './bounce.ts';
import { firstHopId, parcelIdOf, parcelIdOfKey } from './ids.ts';
import type { ParcelId } from './parcel.ts';

const submission = {
  account: 'acme',
  from: 'a@x.example',
  recipients: ['b@x.example', 'c@x.example'],
  messageId: '<1@x>',
  content: Buffer.from('content'),
};

test('the same submission has the same id, whatever the order of its recipients', () => {
  const id = parcelIdOf(submission);
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(parcelIdOf({ ...submission, recipients: ['c@x.example', 'b@x.example'] })).toBe(id);
});

test.each([
  ['account', { account: 'other' }],
  ['sender', { from: '' }],
  ['recipients', { recipients: ['b@x.example'] }],
  ['Message-ID', { messageId: '<2@x>' }],
  ['content', { content: Buffer.from('contenT') }],
])('another %s is another id', (_, change) => {
  expect(parcelIdOf({ ...submission, ...change })).not.toBe(parcelIdOf(submission));
});

test('without Message-ID two submissions are two', () => {
  expect(parcelIdOf({ ...submission, messageId: null })).not.toBe(
    parcelIdOf({ ...submission, messageId: null }),
  );
});

test('keys of different accounts, parts, recipients and kinds do not meet', () => {
  expect(parcelIdOfKey('a', 'k')).not.toBe(parcelIdOfKey('b', 'k'));
  const id = parcelIdOfKey('a', 'k');
  expect(firstHopId(id, 0)).not.toBe(firstHopId(id, 1));
  expect(bounceId(id, 'a@x', 'bounced')).toBe(bounceId(id as ParcelId, 'a@x', 'bounced'));
  expect(bounceId(id, 'a@x', 'bounced')).not.toBe(bounceId(id, 'a@x', 'expired'));
});

test('headers for a bounce end at a line end within their bound', () => {
  const long = Buffer.from(`A: ${'x'.repeat(900)}\r\n`.repeat(100).concat('\r\nbody'));
  const kept = Buffer.from(headersForBounce(long), 'base64');
  expect(kept.length).toBeLessThanOrEqual(ORIGINAL_HEADERS_MAX_BYTES);
  expect(kept.toString().endsWith('\r\n')).toBe(true);
  expect(Buffer.from(headersForBounce(Buffer.from('A: 1\r\n\r\nbody')), 'base64').toString()).toBe(
    'A: 1\r\n',
  );
});
