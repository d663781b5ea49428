import { Openings } from './openings.ts';

test('two hosts of one provider count together, each also alone', () => {
  const openings = new Openings();
  const leave = openings.enter('mx1.big.example', '192.0.2.1');
  openings.enter('mx2.big.example', '192.0.2.1');
  openings.enter('mx2.big.example', '192.0.2.2')();
  leave();
  openings.enter('mx1.big.example', '192.0.2.1');
  expect(openings.peaks).toEqual({
    'mx1.big.example': { '192.0.2.1': 1 },
    'mx2.big.example': { '192.0.2.1': 1, '192.0.2.2': 1 },
    'big.example': { '192.0.2.1': 2, '192.0.2.2': 1 },
  });
  openings.clear();
  expect(openings.peaks).toEqual({});
});
