// What the names of a source address should be: its PTR record says its EHLO name and that leads back (RFC 8601 calls it iprev, large
// providers refuse mail without it), and no DNS blocklist has it (RFC 5782). Pure.
import { isIPv6 } from 'node:net';

export interface AddressRecords {
  readonly address: string;
  readonly ehlo: string;
  /** Of the PTR records; null: DNS does not say. */
  readonly names: readonly string[] | null;
  /** Of the EHLO name, in the family of the address. */
  readonly addresses: readonly string[] | null;
}
export type NameVerdict =
  | 'Confirmed'
  | 'NoReverse'
  | 'OtherReverse'
  | 'NoForward'
  | 'OtherForward'
  | 'Unknown';

export function namesOf({ address, ehlo, names, addresses }: AddressRecords): NameVerdict {
  if (names === null || addresses === null) return 'Unknown';
  if (addresses.length === 0) return 'NoForward';
  if (!addresses.some((one) => expanded(one) === expanded(address))) return 'OtherForward';
  if (names.length === 0) return 'NoReverse';
  return names.some((name) => plain(name) === plain(ehlo)) ? 'Confirmed' : 'OtherReverse';
}

const plain = (name: string): string => name.toLowerCase().replace(/\.$/, '');

export const NAME_FAULTS: Readonly<Record<NameVerdict, string | null>> = {
  Confirmed: null,
  NoReverse: 'it has no PTR record',
  OtherReverse: 'its PTR record says another name than ehlo',
  NoForward: 'its EHLO name has no address',
  OtherForward: 'its EHLO name leads to another address',
  Unknown: 'DNS gives no answer',
};

/** The name to ask at a blocklist: octets or nibbles backwards, then the zone (RFC 5782 §2.1, §2.4). */
export function listQuery(address: string, zone: string): string {
  const parts = isIPv6(address) ? [...expanded(address)] : address.split('.');
  return [...parts.toReversed(), zone].join('.');
}

/** 32 hexadecimal digits of an IPv6 address; IPv4 as it is. */
function expanded(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const groups = (text = '') => (text === '' ? [] : text.split(':'));
  const before = groups(head);
  const after = groups(tail);
  const none = Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  return [...before, ...none, ...after].map((group) => group.padStart(4, '0')).join('');
}

/** Null: it does not say. Lists answer within 127.0.0.0/8; 127.255.255.0/24 is for questions they do not take (Spamhaus). */
export function isListed(answers: readonly string[] | null): boolean | null {
  if (answers === null || answers.some((one) => one.startsWith('127.255.255.'))) return null;
  return answers.some((one) => one.startsWith('127.'));
}
