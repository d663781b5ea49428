import type { OutcomeReport } from '../bus/connect.ts';
import { counted, Outcomes } from './outcomes.ts';
import type { Verdict } from './ports.ts';

const holder = { pod: 'e', uid: 'u', node: 'n', host: '192.0.2.1', port: 1 };
const reply = (text: string, phase: 'dot' | 'rcpt' = 'dot'): Verdict => ({
  kind: 'reply',
  reply: text,
  phase,
});
const none: OutcomeReport = { grant: 'g', accepted: 0, deferred: 0, bounced: 0 };

test.each<readonly [string, Verdict, Partial<OutcomeReport>]>([
  ['taken', reply('250 ok'), { accepted: 1 }],
  ['perhaps taken', { kind: 'unknown', why: 'lost' }, { accepted: 1 }],
  ['refused for good', reply('550 5.1.1 no such user', 'rcpt'), { bounced: 1 }],
  ['deferred', reply('451 4.7.1 greylisted', 'rcpt'), { deferred: 1 }],
  ['not asked about', { kind: 'failed', why: 'lost before the dot' }, {}],
  ['given up', { kind: 'aborted' }, {}],
])('%s', (_, verdict, expected) => {
  const { refusal, ...report } = counted(none, [verdict]);
  expect(report).toEqual({ ...none, ...expected });
  expect(refusal !== undefined).toBe(verdict.kind === 'reply' && !('accepted' in expected));
});

test('in one report what the host says of the address is counted apart, whatever comes last', () => {
  const greylisted = reply('451 4.7.1 greylisted', 'rcpt');
  const limited = reply('421 4.7.0 [TSS04] deferred due to unexpected volume');
  const some = Array.from({ length: 99 }, () => greylisted);
  const mixed = counted(counted(none, [...some, limited]), [limited, greylisted]);
  expect(mixed).toEqual({
    ...none,
    deferred: 102,
    refusal: { reply: '451 4.7.1 greylisted', class: 'greylisted' },
    ofAddress: { deferred: 2, reply: '421 4.7.0 [TSS04] deferred due to unexpected volume' },
  });
});

function outbox(fail = 0) {
  const posts: OutcomeReport[][] = [];
  let failures = fail;
  const outcomes = new Outcomes(async (_, reports) => {
    posts.push([...reports]);
    if (failures-- > 0) throw new Error('lost');
  });
  return { outcomes, posts };
}

test('what comes within a moment goes in one request, as totals; done is said once nothing is under way', async () => {
  const { outcomes, posts } = outbox();
  const [a, b] = [outcomes.of(holder, 'a'), outcomes.of(holder, 'b')];
  a.begin();
  b.begin();
  b.finish([reply('250 ok')]);
  a.closed();
  b.begin();
  b.finish([reply('250 ok'), reply('451 later', 'rcpt')]);
  await outcomes.flush(5000);
  expect(posts).toEqual([[expect.objectContaining({ grant: 'b', accepted: 2, deferred: 1 })]]);
  a.finish([{ kind: 'unknown', why: 'lost' }]);
  await outcomes.flush(5000);
  expect(posts[1]).toEqual([
    { grant: 'a', accepted: 1, deferred: 0, bounced: 0, ofAddress: { deferred: 0 }, done: true },
  ]);
});

test('a report that may be lost is repeated, a few times', async () => {
  const { outcomes, posts } = outbox(99);
  outcomes.of(holder, 'a').closed();
  await outcomes.flush(10_000);
  expect(posts).toHaveLength(3);
}, 15_000);

test('an egress pod of the release before is told nothing', async () => {
  const { outcomes, posts } = outbox();
  const silent = outcomes.of(holder, null);
  silent.begin();
  silent.finish([reply('250 ok')]);
  silent.closed();
  await outcomes.flush(100);
  expect(posts).toEqual([]);
});
