// The oracle itself: a good history of any size passes, and each kind of wrong in it is found under its own name.
import fc from 'fast-check';
import { seeded } from '../internet/random.ts';
import type { AttemptRecord, InternetRecord, MessageRecord } from '../internet/record.ts';
import type { SubmissionResult } from '../sender/record.ts';
import { LIMIT } from './limits.ts';
import { type Evidence, mustBeZero, settled, verdictOf } from './verdict.ts';

const SOURCE = '198.51.100.10';
const LEFT = 'left@x.example';
type Fate = 'delivered' | 'bounced' | 'refused';

const attempt = (testId: string, recipient: string, more: Partial<AttemptRecord> = {}) =>
  ({
    ...{ kind: 'attempt', testId, recipient, at: 1000, outcome: 'delivered', reply: '250 ok' },
    ...{ stage: 'dot', source: SOURCE, mx: 'mx.x.example' },
    ...more,
  }) as AttemptRecord;
const refusal = (recipient: string) =>
  attempt('', recipient, { testId: null, outcome: 'refused', stage: 'rcpt', reply: '550 no' });
const notification = (testId: string, address: string) =>
  ({
    kind: 'message',
    dsn: { testId, recipients: [{ address, action: 'failed', status: '5.1.1' }] },
  }) as unknown as MessageRecord;
const result = (testId: string, address: string, verdict: 'accepted' | 'refused' | 'unknown') =>
  ({ testId, recipients: [{ address, verdict }], reply: '', attempts: 1 }) as SubmissionResult;

function history(
  fates: readonly Fate[],
): Evidence & { records: InternetRecord[]; results: SubmissionResult[] } {
  const results: SubmissionResult[] = [];
  const records: InternetRecord[] = [];
  for (const [i, fate] of fates.entries()) {
    const [id, to] = [`t-${i}`, `r${i}@x.example`] as const;
    results.push(result(id, to, fate === 'refused' ? 'refused' : 'accepted'));
    if (fate === 'delivered') records.push(attempt(id, to));
    if (fate === 'bounced') records.push(refusal(to), notification(id, to));
  }
  const fleet = { backlog: 0, stranded: false, possiblyRepeated: 0 };
  return { results, records, windows: [], deaths: [], suppressed: [LEFT], allowedSources: [SOURCE], fleet };
}

const fatesGiven = fc.array(fc.constantFrom<Fate>('delivered', 'bounced', 'refused'), { maxLength: 30 });
const troubles = (evidence: Evidence) =>
  Object.entries(mustBeZero(verdictOf(evidence))).flatMap(([name, count]) => (count > 0 ? [name] : []));

test('a good history passes', () => {
  fc.assert(
    fc.property(fatesGiven, (fates) => {
      expect([troubles(history(fates)), settled(verdictOf(history(fates)))]).toEqual([[], true]);
    }),
  );
});

type History = ReturnType<typeof history>;
const MINUTE = 60_000;
/** So many to the provider that has a limit, evenly over a minute. */
const minuteOf = (count: number): Pick<Evidence, 'records' | 'results'> => {
  const ids = Array.from({ length: count }, (_, i) => [`t-l${i}`, `l${i}@y.example`, i] as const);
  return {
    results: ids.map(([id, to]) => result(id, to, 'accepted')),
    records: ids.map(([id, to, i]) =>
      attempt(id, to, { mx: `mx1.${LIMIT.provider}`, at: (i * MINUTE) / count }),
    ),
  };
};
const WRONGS: Readonly<Record<string, (good: History) => Partial<Evidence>>> = {
  lost: ({ results }) => ({ results: [...results, result('t-x', 'x@x.example', 'accepted')] }),
  'delivered although refused': ({ results, records }) => ({
    results: [...results, result('t-x', 'x@x.example', 'refused')],
    records: [...records, attempt('t-x', 'x@x.example')],
  }),
  'duplicated outside the windows': ({ results, records }) => ({
    results: [...results, result('t-x', 'x@x.example', 'accepted')],
    records: [...records, attempt('t-x', 'x@x.example'), attempt('t-x', 'x@x.example', { at: 90_000 })],
    windows: [{ what: 'kill-delivery', from: 50_000, to: 60_000, senderDies: true }],
  }),
  'repeated and not counted by the fleet': ({ results, records }) => ({
    results: [...results, result('t-x', 'x@x.example', 'accepted')],
    records: [...records, attempt('t-x', 'x@x.example'), attempt('t-x', 'x@x.example', { at: 9000 })],
    windows: [{ what: 'cut-delivery-egress', from: 500, to: 2000, senderDies: false }],
  }),
  'above a limit': ({ results, records }) => {
    const more = minuteOf(LIMIT.perMinute + 1);
    return { results: [...results, ...more.results], records: [...records, ...more.records] };
  },
  'delivered to a suppressed address': ({ results, records }) => ({
    results: [...results, result('t-x', LEFT, 'accepted')],
    records: [...records, attempt('t-x', LEFT)],
  }),
  'delivered and bounced': ({ results, records }) => ({
    results: [...results, result('t-x', 'x@x.example', 'accepted')],
    records: [
      ...records,
      ...[attempt('t-x', 'x@x.example'), refusal('x@x.example'), notification('t-x', 'x@x.example')],
    ],
  }),
  'bounced without a refusal': ({ results, records }) => ({
    results: [...results, result('t-x', 'x@x.example', 'accepted')],
    records: [...records, notification('t-x', 'x@x.example')],
  }),
  'delivered to strangers': ({ records }) => ({ records: [...records, attempt('t-x', 'x@x.example')] }),
  'from a wrong address': ({ results, records }) => ({
    results: [...results, result('t-x', 'x@x.example', 'accepted')],
    records: [...records, attempt('t-x', 'x@x.example', { source: '198.51.100.99' })],
  }),
  'without an answer': ({ results }) => ({
    results: [...results, result('t-x', 'x@x.example', 'unknown')],
  }),
  'still held by the fleet': ({ fleet }) => ({ fleet: { ...fleet, backlog: 1 } }),
  'stranded, by the fleet': ({ fleet }) => ({ fleet: { ...fleet, stranded: true } }),
};

test('a message that needs SMTPUTF8 is refused by the fleet itself', () => {
  const good = history([]);
  const own = notification('t-x', 'x@x.example') as MessageRecord & {
    dsn: { recipients: { status: string }[] };
  };
  for (const one of own.dsn.recipients) one.status = '5.6.7';
  const results = [result('t-x', 'x@x.example', 'accepted')];
  expect(troubles({ ...good, results, records: [own] })).toEqual([]);
});

test('there is a wrong for every count', () => {
  expect(Object.keys(WRONGS).sort()).toEqual(Object.keys(mustBeZero(verdictOf(history([])))).sort());
});

test.each(Object.keys(WRONGS))('%s is found in any history, and nothing else', (name) => {
  fc.assert(
    fc.property(fatesGiven, fc.integer(), (fates, seed) => {
      const good = history(fates);
      const wrong = { ...good, ...WRONGS[name]?.(good) };
      const random = seeded(seed);
      const records = [...wrong.records].sort(() => random.below(3) - 1);
      expect(troubles({ ...wrong, records })).toEqual(
        name === 'delivered to a suppressed address' ? [name, 'delivered to strangers'] : [name],
      );
    }),
    { numRuns: 30 },
  );
});
