// The end of a run in words. Pure.
import { type Repeat, UNREAD } from './repeats.ts';
import type { RunOutcome } from './run.ts';
import { mustBeZero } from './verdict.ts';

const EXAMPLES = 30;
const isUnread = ({ because }: Repeat): boolean => because.includes(UNREAD);

export const succeeded = ({ verdict }: RunOutcome): boolean =>
  Object.values(mustBeZero(verdict)).every((count) => count === 0);

export function report(outcome: RunOutcome): string {
  const { verdict, messages, events, windows, notDone, possiblyRepeated, mostInFlight, settledSeconds } =
    outcome;
  const { judgement, explained, unexplained, suppressedRefused, suppressedTaken } = verdict;
  const counts: [string, string | number][] = [
    ['messages', messages],
    ['recipients accepted', judgement.accepted],
    ['refused to the sender', judgement.refusedToSender],
    ['delivered', judgement.delivered],
    ['bounced', judgement.bounced],
    ['suppressed, refused', suppressedRefused],
    ['suppressed, taken at first', suppressedTaken],
    ['seconds until all was known and whole', settledSeconds],
    ['faults', Object.values(events).reduce((sum, count) => sum + count, 0)],
    ['  of them that may cost a reply', windows.length],
    ['  not done', notDone.length],
    ['possibly repeated, by the fleet', possiblyRepeated],
    ['repeated, explained', explained.length],
    ['  of them after the server closed instead', judgement.repeatedAfterSilence],
    ['  of them without a fault, reply not read', explained.filter(isUnread).length],
    ['most attempts at once in a pod', mostInFlight],
    ...Object.entries(mustBeZero(verdict)),
  ];
  const examples = [
    ...judgement.examples.filter((line) => !line.startsWith('duplicated')),
    ...unexplained.map((one) => `duplicated ${repeatLine(one)}`),
    ...notDone.map(({ fault, why }) => `not done ${fault}: ${why}`),
    ...explained.map((one) => `explained ${repeatLine(one)}`),
  ].slice(0, EXAMPLES);
  return [...counts.map(([name, count]) => `${name.padEnd(42)} ${count}`), '', ...examples].join('\n');
}

const repeatLine = ({ testId, recipient, copies, because }: Repeat): string =>
  `${testId} ${recipient} ${copies.map(({ at, source }) => `${new Date(at).toISOString().slice(11, 23)} from ${source}`).join(', ')} ${because.join(', ')}`;
