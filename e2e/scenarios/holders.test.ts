import { longestGaps } from './holders.ts';

const line = (ms: number, msg: string, address = 'a') =>
  JSON.stringify({ msg, address, time: new Date(ms).toISOString() });

test('the longest time from the end of a hold to the next, whatever the order of the lines', () => {
  const log = [
    line(9000, 'address held'),
    line(8000, 'address not held'),
    line(1000, 'address held'),
    line(8500, 'address held', 'b'),
    line(8200, 'address not held', 'b'),
    'no JSON',
    line(8100, 'another thing'),
  ];
  expect(longestGaps(log.join('\n'))).toEqual({ a: 1000, b: 300 });
});

test('a hold that nobody followed has no end', () => {
  expect(longestGaps(line(1, 'address not held'))).toEqual({ a: Number.POSITIVE_INFINITY });
});
