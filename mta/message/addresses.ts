// The one parser of addresses (RFC 5321 §4.1.2, RFC 6531): envelope paths, header addr-specs, and what people type.
// A domain leaves here as lower-case A-labels, so that everything after compares and looks up one form.
import { domainToASCII } from 'node:url';

export interface Address {
  /** The local part as it goes on the wire: quoted only where it must be. */
  readonly local: string;
  /** Lower case, A-labels, no trailing dot. */
  readonly domain: string;
  /** `local@domain`. */
  readonly text: string;
  /** The local part has characters beyond ASCII: the message needs SMTPUTF8 (RFC 6531). */
  readonly needsUtf8: boolean;
}

export type AddressFault = 'syntax' | 'local-part' | 'domain' | 'literal' | 'length';
export type AddressResult =
  | { readonly ok: true; readonly address: Address }
  | { readonly ok: false; readonly fault: AddressFault; readonly message: string };

/** Octets (RFC 5321 §4.5.3.1): local part, domain, and path with its angle brackets. */
const MAX_LOCAL = 64;
const MAX_DOMAIN = 255;
const MAX_PATH = 256;

const ATEXT = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\u0080-\\u{10FFFF}-]+";
const DOT_ATOM = new RegExp(`^${ATEXT}(\\.${ATEXT})*$`, 'u');
const QUOTED = /^"((?:[^"\\]|\\.)*)"$/su;
/** Control and format characters, separators, surrogates, and what a decoder puts for broken UTF-8: never in an address. */
const FORBIDDEN = /[\p{C}\p{Zl}\p{Zp}\uFFFD]/u;
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

const refused = (fault: AddressFault, message: string): AddressResult => ({ ok: false, fault, message });

/** Reads `local@domain` without angle brackets. */
export function parseAddress(text: string): AddressResult {
  const at = text.lastIndexOf('@');
  if (at < 1 || at === text.length - 1) return refused('syntax', 'an address is local-part@domain');
  if (FORBIDDEN.test(text)) return refused('syntax', 'the address has control or invisible characters');
  const local = canonicalLocal(text.slice(0, at));
  if (local === null) return refused('local-part', 'the local part is malformed');
  const domain = parseDomain(text.slice(at + 1));
  if (!domain.ok) return domain;
  if (Buffer.byteLength(local) > MAX_LOCAL)
    return refused('length', `the local part is longer than ${MAX_LOCAL} octets`);
  const whole = `${local}@${domain.domain}`;
  if (Buffer.byteLength(whole) + 2 > MAX_PATH)
    return refused('length', `the path is longer than ${MAX_PATH} octets`);
  const needsUtf8 = !isAscii(local);
  return { ok: true, address: { local, domain: domain.domain, text: whole, needsUtf8 } };
}

type DomainResult =
  | { readonly ok: true; readonly domain: string }
  | { readonly ok: false; readonly fault: AddressFault; readonly message: string };

/** Reads a domain name; U-labels become A-labels. Address literals and single labels are refused. */
export function parseDomain(text: string): DomainResult {
  const fail = (fault: AddressFault, message: string): DomainResult => ({ ok: false, fault, message });
  if (text.startsWith('[')) return fail('literal', 'address literals are not accepted');
  const name = (isAscii(text) ? text : toAscii(text)).toLowerCase().replace(/\.$/, '');
  if (name.length > MAX_DOMAIN) return fail('length', `the domain is longer than ${MAX_DOMAIN} octets`);
  const labels = name.split('.');
  if (!labels.every((label) => LABEL.test(label))) return fail('domain', 'the domain is malformed');
  if (labels.length < 2) return fail('domain', 'the domain is not fully qualified');
  if (/^\d+$/.test(labels.at(-1) ?? '')) return fail('domain', 'the domain is an IP address');
  return { ok: true, domain: name };
}

/** Only where it is needed: domainToASCII reads `1` as an IPv4 address and undoes percent signs. */
const toAscii = (domain: string): string =>
  /[^\w.\u0080-\u{10FFFF}-]/u.test(domain) ? '' : domainToASCII(domain);

/** Without quotes where a dot-atom says the same; null when it is malformed. */
function canonicalLocal(text: string): string | null {
  if (DOT_ATOM.test(text)) return text;
  const quoted = QUOTED.exec(text)?.[1];
  if (quoted === undefined) return null;
  const content = quoted.replace(/\\(.)/gsu, '$1');
  if (DOT_ATOM.test(content)) return content;
  return `"${content.replace(/["\\]/g, '\\$&')}"`;
}

/** Whether the text has ASCII characters only. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII, controls included.
export const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text);

export interface PathCommand {
  /** The address without brackets and source route; empty for the null path. */
  readonly path: string;
  /** ESMTP parameters, keyword in upper case; true without value. */
  readonly parameters: ReadonlyMap<string, string | true>;
  /** A keyword given twice. */
  readonly repeated: string | null;
}

const PATH = /^<((?:"(?:[^"\\]|\\.)*"|[^"<>])*)>(?:[ \t]+(.*))?$/su;

/** Reads what follows `MAIL FROM:` or `RCPT TO:`; null when it is malformed. Spaces after the colon are let pass. */
export function parsePathCommand(text: string): PathCommand | null {
  const [, inside, rest = ''] = PATH.exec(text.trim()) ?? [];
  if (inside === undefined) return null;
  // RFC 5321 appendix C: a source route must be accepted and should be ignored.
  const path = inside.replace(/^@[^\s,:@]+(?:,@[^\s,:@]+)*:/, '');
  const parameters = new Map<string, string | true>();
  let repeated: string | null = null;
  for (const part of rest.split(/[ \t]+/).filter(Boolean)) {
    const [, keyword = '', value] =
      /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=([\x21-\x3c\x3e-\x7e\u0080-\u{10FFFF}]*))?$/u.exec(part) ?? [];
    if (!keyword) return null;
    const key = keyword.toUpperCase();
    if (parameters.has(key)) repeated = key;
    parameters.set(key, value === undefined ? true : value);
  }
  return { path, parameters, repeated };
}
