// What an IPPool's status says of the names of its addresses and of blocklists. Pure.
import type { NewCondition } from '../../resources/conditions.ts';
import type { AddressFindings } from '../act/findings.ts';
import { NAME_FAULTS, type NameVerdict, namesOf } from '../desired/address-records.ts';

const MOST_NAMED = 3;

/** The fields of one address; none before the first look. */
export function namesStatus(address: string, found: AddressFindings | null) {
  const records = found?.records.find((one) => one.address === address);
  if (!records) return {};
  const [reverse] = records.names ?? [];
  const listedAt = (found?.listed.answers ?? [])
    .filter((one) => one.address === address && one.listed)
    .map(({ zone }) => zone);
  return {
    names: namesOf(records),
    ...(reverse !== undefined && { reverse }),
    ...(listedAt.length > 0 && { listedAt }),
  };
}

/** Whether the world sees each address under its EHLO name. */
export function namesCondition({ records }: AddressFindings): NewCondition {
  const wrong = records
    .map((one) => ({ ...one, verdict: namesOf(one) }))
    .filter(({ verdict }) => verdict !== 'Confirmed');
  if (wrong.length === 0)
    return condition('True', 'RecordsSeen', 'each EHLO name leads to its address, and back');
  const known = wrong.filter(({ verdict }) => verdict !== 'Unknown');
  const message = some(
    (known.length ? known : wrong).map((one) => `${one.address} (${one.ehlo}): ${NAME_FAULTS[one.verdict]}`),
  );
  if (known.length === 0) return condition('Unknown', 'RecordsUnknown', message);
  const isMissing = ({ verdict }: { verdict: NameVerdict }) =>
    verdict === 'NoReverse' || verdict === 'NoForward';
  return condition('False', known.some(isMissing) ? 'RecordsMissing' : 'RecordsDifferent', message);
}

const condition = (
  status: NewCondition['status'],
  reason: NewCondition['reason'],
  message: string,
): NewCondition => ({ type: 'DNSVerified', status, reason, message });

/** Whether a blocklist that the pool names has one of its addresses; null: it names none. */
export function listedCondition({ listed: { answers } }: AddressFindings): NewCondition | null {
  if (answers.length === 0) return null;
  const listed = answers.filter((one) => one.listed);
  if (listed.length > 0)
    return {
      ...{ type: 'NotListed', status: 'False', reason: 'AddressListed' },
      message: some(listed.map(({ address, zone }) => `${address} is on ${zone}`)),
    };
  const silent = answers.filter((one) => one.listed === null);
  if (silent.length > 0)
    return {
      ...{ type: 'NotListed', status: 'Unknown', reason: 'RecordsUnknown' },
      message: `no answer from ${some([...new Set(silent.map(({ zone }) => zone))])}`,
    };
  return { type: 'NotListed', status: 'True', reason: 'AsExpected', message: 'no address is on a blocklist' };
}

function some(list: readonly string[]): string {
  const more = list.length > MOST_NAMED ? ` and ${list.length - MOST_NAMED} more` : '';
  return list.slice(0, MOST_NAMED).join('; ') + more;
}
