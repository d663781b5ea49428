import { obedientStatement, podView } from '../decide/scripted-world.ts';
import { readStatement } from './statement.ts';

const pod = podView(1);
const statement = obedientStatement(pod, null);
const read = (change: object) => readStatement(JSON.stringify({ ...statement, ...change }), pod);

test('a whole statement of this pod is read', () => {
  expect(read({})).toEqual({ kind: 'statement', statement });
});

test('a statement of an older release says nothing of work, and that is all that is unknown then', () => {
  expect(read({ work: undefined })).toMatchObject({ kind: 'statement', statement: { inFlight: 0 } });
  expect(read({ work: { ...statement.work, ready: null } })).toMatchObject({ kind: 'statement' });
});

test('what a newer release says beside it is taken when it is well-formed, and never makes a count of nothing', () => {
  const results = { delivered: 3, deferred: 1, bounced: 0 };
  const spool = { ...statement.spool, id: 'spool-1', unreadable: 2 };
  expect(read({ results, spool })).toMatchObject({ statement: { results, spool } });
  expect(read({ results: { delivered: 3 } })).toMatchObject({ kind: 'unknown', reason: 'NumberMissing' });
  expect(read({ somethingNew: 1 })).toMatchObject({ kind: 'statement' });
});

test.each([
  ['NumberMissing', { work: { ...statement.work, perSecond: -1 } }],
  ['NumberMissing', { inFlight: undefined }],
  ['NumberMissing', { unacknowledged: -1 }],
  ['NumberMissing', { eventsUnsent: '0' }],
  ['NumberMissing', { spool: { ...statement.spool, entries: null } }],
  ['NumberMissing', { held: undefined }],
  ['WrongUid', { uid: 'uid-before' }],
  ['WrongUid', { pod: 'demo-delivery-2' }],
])('%s: %j is unknown, never empty', (reason, change) => {
  expect(read(change)).toMatchObject({ kind: 'unknown', reason });
});

test('what is no JSON is unknown', () => {
  expect(readStatement('<html>', pod)).toMatchObject({ kind: 'unknown', reason: 'NumberMissing' });
});
