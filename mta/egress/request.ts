// The CONNECT request, parsed once at the edge (form: mta/bus/connect.ts; RFC 9110 §9.3.6).
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { CONNECT_HEADERS } from '../bus/connect.ts';
import { Refused } from './refusal.ts';

export interface ConnectRequest {
  /** MX host name in lower case, or a literal address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly source: string;
  /** The recipient domain, lower case. */
  readonly domain: string;
  /** The epoch of each shard the caller holds. */
  readonly epochs: ReadonlyMap<number, number>;
  /** '' when the caller does not say. */
  readonly account: string;
  /** How many recipients the caller has; null when it does not say, and then it reports no outcomes. */
  readonly recipients: number | null;
}

const AUTHORITY = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]{1,253})):(\d{1,5})$/i;
const LONGEST_ACCOUNT = 256;
const HOST_NAME = /^(?!-)[a-z0-9_.-]+$/i;

/**
 * Reads the authority (`host:port`, IPv6 in brackets) and the headers of a CONNECT.
 * @throws Refused BadRequest naming what is wrong.
 */
export function parseConnect(authority: string, headers: IncomingHttpHeaders): ConnectRequest {
  const [, bracketed, plain, port] = AUTHORITY.exec(authority) ?? [];
  const host = bracketed ?? plain;
  if (!host || (bracketed && isIP(bracketed) !== 6)) throw bad(`target ${JSON.stringify(authority)}`);
  const source = one(headers, CONNECT_HEADERS.source);
  if (isIP(source) === 0) throw bad(`${CONNECT_HEADERS.source} ${JSON.stringify(source)} is no address`);
  const domain = one(headers, CONNECT_HEADERS.domain);
  if (!HOST_NAME.test(domain) && !/^\[.+\]$/.test(domain))
    throw bad(`${CONNECT_HEADERS.domain} ${JSON.stringify(domain)}`);
  return {
    host: host.toLowerCase().replace(/\.$/, ''),
    port: Number(port),
    source,
    domain: domain.toLowerCase(),
    epochs: parseEpochs(one(headers, CONNECT_HEADERS.epochs)),
    account: String(headers[CONNECT_HEADERS.account] ?? '').slice(0, LONGEST_ACCOUNT),
    recipients: parseRecipients(headers[CONNECT_HEADERS.recipients]),
  };
}

function parseEpochs(text: string): ReadonlyMap<number, number> {
  const pairs = text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
  return new Map(
    pairs.map((pair) => {
      const [, shard, epoch] = /^(\d{1,6}):(\d{1,15})$/.exec(pair) ?? [];
      if (!shard || !epoch) throw bad(`${CONNECT_HEADERS.epochs} ${JSON.stringify(text)}`);
      return [Number(shard), Number(epoch)];
    }),
  );
}

function parseRecipients(text: string | string[] | undefined): number | null {
  if (text === undefined) return null;
  const [, digits] = /^(\d{1,9})$/.exec(String(text).trim()) ?? [];
  if (!digits) throw bad(`${CONNECT_HEADERS.recipients} ${JSON.stringify(text)}`);
  return Number(digits);
}

function one(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  if (typeof value !== 'string') throw bad(`${name} is missing`);
  return value.trim();
}

const bad = (what: string): Refused => new Refused('BadRequest', `bad CONNECT: ${what}`);
