import fc from 'fast-check';
import { doubleDots } from './dots.ts';

test.each([
  ['', ''],
  ['.', '..'],
  ['a.b\r\n', 'a.b\r\n'],
  ['.\r\n.\r\n', '..\r\n..\r\n'],
  ['..a\r\n\r\n.b', '...a\r\n\r\n..b'],
])('%j becomes %j', (given, sent) => {
  expect(doubleDots(Buffer.from(given), true).toString()).toBe(sent);
});

test('the same buffer when there is nothing to double', () => {
  const piece = Buffer.from('From: a.b\r\n\r\ntext\r\n');
  expect(doubleDots(piece, true)).toBe(piece);
});

test('what a receiver undoes is what was given, however it is cut', () => {
  const line = fc.string({ unit: fc.constantFrom('.', 'a', ' '), maxLength: 4 });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), fc.nat(60), (lines, cut) => {
      const text = Buffer.from(`${lines.join('\r\n')}\r\n`);
      const [first, second] = [text.subarray(0, cut), text.subarray(cut)];
      const sent = Buffer.concat([
        doubleDots(first, true),
        doubleDots(second, first.length === 0 || first.at(-1) === 0x0a),
      ]).toString();
      expect(sent.split('\r\n')).not.toContain('.');
      expect(sent.replace(/^\./gm, '')).toBe(text.toString());
    }),
  );
});
