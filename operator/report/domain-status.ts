// The status of a SendingDomain. Pure. Records that are not seen do not make it less ready: mail is signed and sent all
// the same, and DNSVerified says what to publish.
import type { NewCondition } from '../../resources/conditions.ts';
import type { SendingDomainStatus } from '../../resources/kinds.ts';
import type { DomainFindings } from '../act/findings.ts';
import type { RecordStatus } from '../desired/dns-records.ts';
import type { Problem } from '../observe/problems.ts';
import type { ObjectMeta } from '../observe/resources.ts';
import { conditionsOf, firstOf, type Health, reconciling, stalled } from './conditions.ts';

export interface DomainReport {
  readonly metadata: ObjectMeta;
  readonly before: Partial<SendingDomainStatus>;
  /** Of the spec and its references. */
  readonly problem: Problem | null;
  /** Of its keys. */
  readonly keyProblem: Problem | null;
  readonly records: readonly RecordStatus[];
  readonly findings: DomainFindings | null;
  readonly now: number;
}

export function domainStatus(report: DomainReport): SendingDomainStatus {
  const { metadata, before, problem, keyProblem, records, now } = report;
  const health = firstOf(stalled(problem), stalled(keyProblem), natsHealth(report.findings));
  const own = [keysReady(keyProblem), dnsVerified(records)];
  return {
    observedGeneration: metadata.generation,
    conditions: conditionsOf(before.conditions ?? [], health, own, metadata.generation, now),
    records: [...records],
    ...(records.length > 0 && { recordsSeen: seenOf(records) }),
  };
}

const seenOf = (records: readonly RecordStatus[]): string =>
  `${records.filter(({ seen }) => seen === 'Yes').length}/${records.length}`;

const keysReady = (problem: Problem | null): NewCondition => ({
  type: 'KeysReady',
  status: problem ? 'False' : 'True',
  reason: problem?.reason ?? 'AsExpected',
  message: problem?.message ?? 'each key can sign',
});

function dnsVerified(records: readonly RecordStatus[]): NewCondition {
  const names = (seen: RecordStatus['seen']) => records.filter((r) => r.seen === seen).map((r) => r.name);
  const [missing, different, unknown] = [names('No'), names('Different'), names('Unknown')];
  const type = 'DNSVerified';
  if (missing.length)
    return { type, status: 'False', reason: 'RecordsMissing', message: `not seen: ${missing.join(', ')}` };
  if (different.length)
    return { type, status: 'False', reason: 'RecordsDifferent', message: `differs: ${different.join(', ')}` };
  if (unknown.length || records.length === 0)
    return { type, status: 'Unknown', reason: 'RecordsUnknown', message: `no answer: ${unknown.join(', ')}` };
  return { type, status: 'True', reason: 'RecordsSeen', message: 'all records are seen' };
}

function natsHealth(findings: DomainFindings | null): Health | null {
  if (!findings) return reconciling('WaitingForNats', 'the snapshot is not written yet');
  if (findings.nats.kind === 'Written') return null;
  const reason = findings.nats.kind === 'Unavailable' ? 'NatsUnavailable' : 'SnapshotFailed';
  return reconciling(reason, findings.nats.message);
}
