import { Names } from './names.ts';

test.each<[string, readonly [site: string, provider: string, isAnother: boolean][]]>([
  [
    'no policy names it',
    [
      ['a.test', 'a.test', false],
      ['a.test', 'a.test', false],
    ],
  ],
  [
    'it has a name',
    [
      ['a.test', 'big', false],
      ['a.test', 'big', false],
    ],
  ],
  [
    'it gets one',
    [
      ['a.test', 'a.test', false],
      ['a.test', 'big', false],
    ],
  ],
  [
    'it gets another',
    [
      ['a.test', 'big', false],
      ['a.test', 'huge', true],
      ['a.test', 'huge', false],
    ],
  ],
  [
    'its name is taken away, and given again',
    [
      ['a.test', 'big', false],
      ['a.test', 'a.test', true],
      ['a.test', 'big', true],
    ],
  ],
  [
    'another site has the name too',
    [
      ['a.test', 'big', false],
      ['b.test', 'big', false],
      ['a.test', 'big', false],
    ],
  ],
])('%s', (_, asked) => {
  const names = new Names();
  for (const [site, provider, isAnother] of asked) {
    expect(names.note(site, provider)).toBe(isAnother);
    expect([names.site(provider), names.name(site)]).toEqual([site, provider]);
  }
});

test('of a name that nobody has asked for it is the site', () => {
  expect(new Names().site('a.test')).toBe('a.test');
});
