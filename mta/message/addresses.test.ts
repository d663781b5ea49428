import fc from 'fast-check';
import { parseAddress, parsePathCommand } from './addresses.ts';
import { mailboxText } from './convert_fields.ts';
import { parseMailboxes, readMailboxes } from './mailboxes.ts';

const text = (given: string) => {
  const result = parseAddress(given);
  return result.ok ? result.address.text : result.fault;
};

test.each([
  ['a@x.example', 'a@x.example'],
  ['A.b+c@X.Example.', 'A.b+c@x.example'],
  ['"a b"@x.example', '"a b"@x.example'],
  ['"a\\"b"@x.example', '"a\\"b"@x.example'],
  ['"a@b"@x.example', '"a@b"@x.example'],
  ['"plain"@x.example', 'plain@x.example'],
  ['jürgen@bücher.example', 'jürgen@xn--bcher-kva.example'],
  ['a@ＢÜCHER.example', 'a@xn--bcher-kva.example'],
  ['a@x。example', 'a@x.example'],
  [`${'a'.repeat(64)}@x.example`, `${'a'.repeat(64)}@x.example`],
  [`${'a'.repeat(65)}@x.example`, 'length'],
  [`${'ü'.repeat(33)}@x.example`, 'length'],
  [`a@${'b'.repeat(63)}.${'b'.repeat(63)}.${'b'.repeat(63)}.${'b'.repeat(60)}.ex`, 'length'],
  [`a@${'b'.repeat(64)}.example`, 'domain'],
  ['a@[192.0.2.1]', 'literal'],
  ['a@[IPv6:2001:db8::1]', 'literal'],
  ['a@192.0.2.1', 'domain'],
  ['a@１.２.３.４', 'domain'],
  ['a@localhost', 'domain'],
  ['a@x..example', 'domain'],
  ['a@-x.example', 'domain'],
  ['a@x.example:25', 'domain'],
  ['a@ex%61mple.ü', 'domain'],
  ['a.@x.example', 'local-part'],
  ['.a@x.example', 'local-part'],
  ['a..b@x.example', 'local-part'],
  ['a b@x.example', 'local-part'],
  ['"a"b"@x.example', 'local-part'],
  ['a\r\nRCPT TO:<b@x.example>@x.example', 'syntax'],
  ['a\u200b@x.example', 'syntax'],
  ['a\ufffd@x.example', 'syntax'],
  ['@x.example', 'syntax'],
  ['a@', 'syntax'],
  ['', 'syntax'],
])('%j gives %j', (given, expected) => {
  expect(text(given)).toBe(expected);
});

test('what was parsed parses to itself, is bounded, and holds nothing that could end a command', () => {
  const parts = fc.constantFrom(
    'a',
    'Z',
    '.',
    '@',
    '"',
    '\\',
    ' ',
    '<',
    '>',
    'ü',
    '[',
    '1',
    '-',
    '\r\n',
    '\0',
    'x.example',
    '@x.example',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(parts).map((all) => all.join('')),
      ),
      (given) => {
        const result = parseAddress(given);
        if (!result.ok) return;
        expect(text(result.address.text)).toBe(result.address.text);
        expect(Buffer.byteLength(result.address.text)).toBeLessThanOrEqual(254);
        expect(result.address.text).not.toMatch(/[\r\n\0]/);
        expect(result.address.domain).toMatch(/^[a-z0-9_.-]+$/);
      },
    ),
    { numRuns: 2000 },
  );
});

test.each([
  ['<a@x.example>', 'a@x.example', {}],
  [
    ' <a@x.example> SIZE=10 body=8BITMIME SMTPUTF8',
    'a@x.example',
    { SIZE: '10', BODY: '8BITMIME', SMTPUTF8: true },
  ],
  ['<>', '', {}],
  ['<@a.example,@b.example:c@x.example>', 'c@x.example', {}],
  ['<"a> b"@x.example>', '"a> b"@x.example', {}],
])('the path of %j', (given, path, parameters) => {
  const parsed = parsePathCommand(given);
  expect(parsed?.path).toBe(path);
  expect(Object.fromEntries(parsed?.parameters ?? [])).toEqual(parameters);
});

test.each([
  ['a@x.example'],
  ['<a@x.example'],
  ['<a@x.example>x'],
  ['<a@x.example> =1'],
  ['<a@x.example> A=b=c'],
  [''],
])('%j is no path', (given) => {
  expect(parsePathCommand(given)).toBeNull();
});

const listed = (given: string) => {
  const result = parseMailboxes(given);
  return result.ok ? result.mailboxes.map(({ name, address }) => [name, address.text]) : result.text;
};

test.each([
  ['a@x.example', [['', 'a@x.example']]],
  ['Ann <a@x.example>', [['Ann', 'a@x.example']]],
  [
    '"Doe, \\"J\\"" <a@x.example>, b@x.example',
    [
      ['Doe, "J"', 'a@x.example'],
      ['', 'b@x.example'],
    ],
  ],
  [
    'a@x.example (Ann (really), yes), (x) b@x.example',
    [
      ['', 'a@x.example'],
      ['', 'b@x.example'],
    ],
  ],
  [
    'Friends: a@x.example, B <b@x.example>; c@x.example',
    [
      ['', 'a@x.example'],
      ['B', 'b@x.example'],
      ['', 'c@x.example'],
    ],
  ],
  ['undisclosed-recipients:;', []],
  [' , ,', []],
  ['"a b"@x.example', [['', '"a b"@x.example']]],
  ['a@x.example, nobody', 'nobody'],
  ['Ann <a@x.example', [['Ann', 'a@x.example']]],
])('the list %j', (given, expected) => {
  expect(listed(given)).toEqual(expected);
});

test('a malformed member does not hide the others', () => {
  const { mailboxes, faults } = readMailboxes('a@x.example, oops, b@x.example');
  expect(mailboxes.map(({ address }) => address.text)).toEqual(['a@x.example', 'b@x.example']);
  expect(faults.map((fault) => fault.text)).toEqual(['oops']);
});

test('a name written into a header is read back as it was', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', 'B', ' ', ',', '"', '\\', '(', ')', '<', '@', ';', ':') }),
      (raw) => {
        const name = raw.trim().replace(/ +/g, ' ');
        const result = parseMailboxes('a@x.example');
        if (!result.ok || !result.mailboxes[0]) throw new Error('unreachable');
        const written = mailboxText({ name, address: result.mailboxes[0].address });
        expect(listed(`${written}, b@x.example`)).toEqual([
          [name, 'a@x.example'],
          ['', 'b@x.example'],
        ]);
      },
    ),
  );
});

test('a long hostile list is read in time', () => {
  const start = performance.now();
  for (const piece of ['(', '"', '<', '@,', 'a@x.example,(', '\\', '":', 'a '])
    readMailboxes(piece.repeat(100_000 / piece.length));
  expect(performance.now() - start).toBeLessThan(3000);
});
