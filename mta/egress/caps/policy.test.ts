import { queuePolicySpec } from '../../../resources/kinds.ts';
import { anyCap, CapBook, poolCap } from './policy.ts';

const shaping = (given: unknown) => queuePolicySpec.parse({ shaping: given }).shaping;
const none = { connections: null, attemptsPerMinute: null };
const windows = { second: null, minute: null, hour: null, day: null };

test('without a cap there is none', () => {
  expect([anyCap([shaping({})]), poolCap([shaping({})], 'google')]).toEqual([false, null]);
  expect(anyCap([shaping({ default: { pool: {} } })])).toBe(false);
});

test.each<readonly [string, unknown, string, object | null]>([
  [
    'the default holds at a site',
    { default: { pool: { connections: 3 } } },
    'example.org',
    { ...none, connections: 3, messages: windows },
  ],
  [
    'and at a shipped provider',
    { default: { pool: { connections: 3 } } },
    'google',
    { ...none, connections: 3, messages: windows },
  ],
  [
    'a provider of the policy adds its own to it, field by field',
    {
      default: { pool: { connections: 3, perDay: 100 } },
      providers: [{ name: 'own', domains: ['own.example'], limits: { pool: { perMinute: 7, perDay: 50 } } }],
    },
    'own',
    { ...none, connections: 3, messages: { ...windows, minute: 7, day: 50 } },
  ],
  [
    'a cap of one provider is not one of another',
    { providers: [{ name: 'own', domains: ['own.example'], limits: { pool: { perMinute: 7 } } }] },
    'example.org',
    null,
  ],
])('%s', (_, given, provider, expected) => {
  expect(poolCap([shaping(given)], provider)).toEqual(expected);
});

test('of pools that share an IPPool the strictest holds, field by field, whether they name the provider or not', () => {
  const one = shaping({ default: { pool: { connections: 9, connectionAttemptsPerMinute: 30 } } });
  const other = shaping({
    default: { pool: { connections: 4 } },
    providers: [{ name: 'own', domains: ['own.example'], limits: { pool: { connections: 2 } } }],
  });
  expect(poolCap([one, other], 'example.org')).toMatchObject({ connections: 4, attemptsPerMinute: 30 });
  expect(poolCap([one, other], 'own')).toMatchObject({ connections: 2, attemptsPerMinute: 30 });
});

test('the same cap is the same object, whatever else changes', () => {
  const book = new CapBook();
  book.set([shaping({ default: { pool: { perHour: 10 } } })]);
  const cap = book.of('a.example');
  book.set([shaping({ default: { connections: 5, pool: { perHour: 10 } } })]);
  expect(book.of('a.example')).toBe(cap);
  book.set([shaping({ default: { pool: { perHour: 11 } } })]);
  expect(book.of('a.example')).toMatchObject({ messages: { hour: 11 } });
});
