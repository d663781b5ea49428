import { onlyThose } from './only.ts';

const file = (name: string) => `e2e/scenarios/${name}.scenario.test.ts`;
const FILES = ['moved-warmup', 'scale', 'warmup'].map(file);

test.each([
  ['nothing said: all', undefined, ['moved-warmup', 'scale', 'warmup']],
  ['an empty setting is none', '', ['moved-warmup', 'scale', 'warmup']],
  ['a part of one', 'sca', ['scale']],
  ['a part of two', 'arm', ['moved-warmup', 'warmup']],
  ['the whole name of one, which is a part of another', 'warmup', ['warmup']],
])('%s', (_, part, names) => expect(onlyThose(FILES, part)).toEqual(names.map(file)));

test('a part of none is refused, with the names there are', () => {
  expect(() => onlyThose(FILES, 'scenario')).toThrow(
    'ONLY=scenario: no scenario is called so; there are moved-warmup, scale, warmup',
  );
});
