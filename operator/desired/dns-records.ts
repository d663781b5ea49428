// The DNS records of a SendingDomain: what to publish, and whether what is seen is that. Pure.
import { isIPv6 } from 'node:net';
import type { SendingDomainStatus } from '../../resources/kinds.ts';
import type { SendingDomain } from '../observe/resources.ts';
import { dkimRecord } from './dkim-key.ts';

export type RecordStatus = SendingDomainStatus['records'][number];
export interface WantedRecord {
  readonly name: string;
  readonly type: 'TXT';
  readonly value: string;
  /** A proposal: another value may be as good, so the record only has to cover ours. */
  readonly covers: (seen: string) => boolean;
  /** Whether a TXT text is a record of this sort at all. */
  readonly isOne: (seen: string) => boolean;
}

/** DKIM of each key, SPF for the pool's addresses where the envelope sender is, DMARC on the domain. */
export function wantedRecords(
  domain: SendingDomain,
  keys: readonly { readonly selector: string; readonly pem: string }[],
  addresses: readonly string[],
): WantedRecord[] {
  const { spec } = domain;
  const dkim = spec.dkim.flatMap(({ selector, algorithm }) => {
    const key = keys.find((k) => k.selector === selector);
    return key ? [dkimWanted(`${selector}._domainkey.${spec.domain}`, dkimRecord(key.pem, algorithm))] : [];
  });
  return [...dkim, spfWanted(spec.returnPath ?? spec.domain, addresses), dmarcWanted(spec.domain)];
}

const tag = (record: string, name: string): string | undefined =>
  new RegExp(`(?:^|;)\\s*${name}\\s*=\\s*([^;]*)`).exec(record)?.[1]?.replaceAll(/\s/g, '');

function dkimWanted(name: string, value: string): WantedRecord {
  return {
    name,
    type: 'TXT',
    value,
    covers: (seen) => tag(seen, 'p') === tag(value, 'p'),
    isOne: (seen) => tag(seen, 'p') !== undefined,
  };
}

/** RFC 7208. Addresses that the domain lets send by other means (include, mx) cannot be seen here: `Different`. */
function spfWanted(name: string, addresses: readonly string[]): WantedRecord {
  const terms = addresses.map((address) => `${isIPv6(address) ? 'ip6' : 'ip4'}:${address}`);
  const said = (seen: string) =>
    new Set(
      seen
        .toLowerCase()
        .split(/\s+/)
        .map((term) => term.replace(/^\+/, '')),
    );
  return {
    name,
    type: 'TXT',
    value: ['v=spf1', ...terms, '~all'].join(' '),
    covers: (seen) => terms.every((term) => said(seen).has(term)),
    isOne: (seen) => /^v=spf1(\s|$)/i.test(seen),
  };
}

/** RFC 7489: any policy will do; `none` is the one that breaks nothing. */
function dmarcWanted(domain: string): WantedRecord {
  const isOne = (seen: string) => /^v=DMARC1\s*(;|$)/.test(seen);
  return { name: `_dmarc.${domain}`, type: 'TXT', value: 'v=DMARC1; p=none', covers: isOne, isOne };
}

/** @param texts what DNS has at the name; null: it could not be asked. */
export function recordStatus(wanted: WantedRecord, texts: readonly string[] | null): RecordStatus {
  const { name, type, value } = wanted;
  return { name, type, value, seen: seenAs(wanted, texts) };
}

function seenAs(wanted: WantedRecord, texts: readonly string[] | null): RecordStatus['seen'] {
  if (texts === null) return 'Unknown';
  const found = texts.filter(wanted.isOne);
  if (found.length === 0) return 'No';
  // Two SPF records are an error of their own (RFC 7208 §4.5), so all have to be right.
  return found.every(wanted.covers) ? 'Yes' : 'Different';
}
