import { Refused } from './refusal.ts';
import { fingerprint, UsedKeys } from './used_keys.ts';

test('a key may be repeated with what it stands for, and with nothing else', () => {
  const keys = new UsedKeys();
  keys.check('acme', 'order-1', 'a');
  keys.keep('acme', 'order-1', 'a');
  expect(() => keys.check('acme', 'order-1', 'a')).not.toThrow();
  expect(() => keys.check('other', 'order-1', 'b')).not.toThrow();
  expect(() => keys.check('acme', 'order-1', 'b')).toThrow(Refused);
});

test('a key that was only refused stands for nothing', () => {
  const keys = new UsedKeys();
  keys.check('acme', 'order-1', 'a');
  expect(() => keys.check('acme', 'order-1', 'b')).not.toThrow();
});

test('the oldest keys are forgotten', () => {
  const keys = new UsedKeys(2);
  for (const key of ['1', '2', '3']) keys.keep('acme', key, 'a');
  expect(() => keys.check('acme', '1', 'b')).not.toThrow();
  expect(() => keys.check('acme', '2', 'b')).toThrow(Refused);
});

test('the fingerprint is of body and envelope', () => {
  const text = Buffer.from('Subject: x\r\n\r\n');
  const all = [
    fingerprint({ subject: 'x' }, []),
    fingerprint({ subject: 'y' }, []),
    fingerprint(text, []),
    fingerprint(text, ['a@x.example']),
  ];
  expect(new Set(all).size).toBe(4);
  expect(fingerprint({ subject: 'x' }, [])).toBe(all[0]);
});
