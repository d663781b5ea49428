import type { AttemptRecord } from '../internet/record.ts';
import { mustBeZero, settled, verdictOf } from './verdict.ts';

const source = '198.51.100.10';
const delivered = (recipient: string, at = 1000) =>
  ({
    kind: 'attempt',
    testId: 't-1',
    at,
    recipient,
    outcome: 'delivered',
    reply: '250 ok',
    stage: 'dot',
    source,
    mx: 'mx.x.example',
  }) as AttemptRecord;
const accepted = (...addresses: string[]) => {
  const recipients = addresses.map((address) => ({ address, verdict: 'accepted' as const }));
  return { testId: 't-1', recipients, reply: '', attempts: 1 };
};
const fleet = { backlog: 0, stranded: false, possiblyRepeated: 0 };
const verdict = (records: AttemptRecord[], results = [accepted('a@x.example')], windows = [] as never[]) =>
  verdictOf({
    deaths: [],
    results,
    records,
    windows,
    suppressed: ['left@x.example'],
    allowedSources: [source],
    fleet,
  });
const troubles = (one: ReturnType<typeof verdict>) =>
  Object.entries(mustBeZero(one)).flatMap(([name, count]) => (count > 0 ? [name] : []));

test('delivered once: settled, and nothing is wrong', () => {
  const one = verdict([delivered('a@x.example')]);
  expect([settled(one), troubles(one)]).toEqual([true, []]);
});

test('a suppressed recipient that was taken need not arrive, and must not', () => {
  const results = [accepted('a@x.example', 'left@x.example')];
  const quiet = verdict([delivered('a@x.example')], results);
  expect([settled(quiet), quiet.suppressedTaken, troubles(quiet)]).toEqual([true, 1, []]);
  const leaked = verdict([delivered('a@x.example'), delivered('left@x.example')], results);
  expect(troubles(leaked)).toContain('delivered to a suppressed address');
});

test('missing is lost, twice without a reason is duplicated', () => {
  const missing = verdict([]);
  expect([settled(missing), troubles(missing)]).toEqual([false, ['lost']]);
  expect(troubles(verdict([delivered('a@x.example'), delivered('a@x.example', 2000)]))).toEqual([
    'duplicated outside the windows',
  ]);
});
