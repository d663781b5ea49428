import { field, headerBytes, MessageFault, splitEntity, textOf } from './fields.ts';
import { authorOf, receivedField, refuseLoop, withoutPrivate, withTrace } from './headers.ts';
import { normaliseLineEnds } from './lines.ts';

const fieldsOf = (header: string) => splitEntity(Buffer.from(`${header}\r\n\r\nbody`)).fields;
const status = (act: () => unknown): string => {
  try {
    act();
    return 'ok';
  } catch (error) {
    return error instanceof MessageFault ? error.status : String(error);
  }
};

test.each([
  ['From: a@x.example', 'ok'],
  ['from : Ann\r\n <a@x.example>', 'ok'],
  ['Subject: x', '5.6.0'],
  ['From: a@x.example\r\nFROM: b@x.example', '5.6.0'],
  ['From: a@x.example, b@x.example', '5.6.0'],
  ['From: ', '5.1.7'],
  ['From: nobody', '5.1.7'],
])('the author of %j: %s', (header, expected) => {
  expect(status(() => authorOf(fieldsOf(header)))).toBe(expected);
});

test('fifty Received fields are a loop, forty-nine are not', () => {
  const hops = (count: number) => fieldsOf(`${'Received: x\r\n'.repeat(count)}From: a@x.example`);
  expect(status(() => refuseLoop(hops(49)))).toBe('ok');
  expect(status(() => refuseLoop(hops(50)))).toBe('5.4.6');
});

test.each([
  ['a line break in a value', () => field('X-A', 'a\r\nBcc: b@x.example')],
  ['a bare LF', () => field('X-A', 'a\n b')],
  ['a NUL', () => field('X-A', 'a\0')],
  ['a colon in a name', () => field('X:A', 'a')],
  ['a space in a name', () => field('X A', 'a')],
])('%s is refused', (_, make) => {
  expect(status(make)).toBe('5.6.0');
});

test('Bcc, Return-Path and control fields are taken out, with their folds', () => {
  const kept = withoutPrivate(
    fieldsOf(
      'To: a@x.example\r\nBCC: b@x.example,\r\n c@x.example\r\nX-Postfleet-Class: bulk\r\nReturn-Path: <x>\r\nX-Other: 1',
    ),
  );
  expect(kept.map(({ key }) => key)).toEqual(['to', 'x-other']);
});

test('Date and Message-ID are added only when they are missing, Received always in front', () => {
  const trace = {
    helo: 'c',
    address: '2001:db8::1',
    protocol: 'ESMTPSA',
    hostname: 'mx.example',
    id: 'i',
    recipient: null,
    now: new Date(0),
  };
  const added = withTrace(fieldsOf('From: a@x.example'), trace, 'x.example');
  expect(added.map(({ key }) => key)).toEqual(['received', 'from', 'date', 'message-id']);
  expect(headerBytes(added).toString()).toContain('Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n');
  expect(textOf(receivedField(trace))).toBe(
    'from c ([IPv6:2001:db8::1]) by mx.example with ESMTPSA id i; Thu, 01 Jan 1970 00:00:00 +0000',
  );
  const own = withTrace(fieldsOf('Date: x\r\nMessage-ID: <y>'), trace, 'x.example');
  expect(own.map(({ key }) => key)).toEqual(['received', 'date', 'message-id']);
});

test('a HELO name cannot write into the Received field', () => {
  const trace = {
    helo: 'a (b); evil',
    address: '192.0.2.1',
    protocol: 'ESMTPSA',
    hostname: 'mx.example',
    id: 'i',
    recipient: 'r@x.example',
    now: new Date(0),
  };
  expect(textOf(receivedField(trace))).toMatch(
    /^from unknown \(\[192\.0\.2\.1\]\) by mx\.example with ESMTPSA id i for <r@x\.example>; /,
  );
});

test.each([
  ['a: 1\r\nb: 2\r\n\r\nbody', ['a', 'b'], 'body'],
  ['a: 1\r\nnot a field\r\nmore', ['a'], 'not a field\r\nmore'],
  ['\r\nbody', [], 'body'],
  ['body only', [], 'body only'],
  ['a: 1', ['a'], ''],
  ['a: 1\r\n', ['a'], ''],
  ['', [], ''],
  [' starts with a fold\r\n\r\nx', [], ' starts with a fold\r\n\r\nx'],
])('%j is split', (text, keys, body) => {
  const entity = splitEntity(Buffer.from(text));
  expect(entity.fields.map(({ key }) => key)).toEqual(keys);
  expect(entity.body.toString()).toBe(body);
});

test('a header section without bounds is refused', () => {
  expect(status(() => splitEntity(Buffer.from(`A: ${'x'.repeat(300_000)}\r\n\r\n`)))).toBe('5.6.0');
  expect(status(() => splitEntity(Buffer.from(`${'A: x\r\n'.repeat(2001)}\r\n`)))).toBe('5.6.0');
});

test.each([
  ['a\nb', 'a\r\nb'],
  ['a\rb', 'a\r\nb'],
  ['a\r\nb', 'a\r\nb'],
  ['a\r\r\nb\n\r', 'a\r\n\r\nb\r\n\r\n'],
  ['\n\n', '\r\n\r\n'],
  ['\r', '\r\n'],
  ['', ''],
])('line ends of %j', (given, expected) => {
  expect(normaliseLineEnds(Buffer.from(given)).toString()).toBe(expected);
});
