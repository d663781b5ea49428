// Address lists of header fields (RFC 5322 §3.4): `"Name" <a@b>, Group: c@d;, e@f (comment)`.
import { type Address, type AddressFault, parseAddress } from './addresses.ts';

export interface Mailbox {
  readonly name: string;
  readonly address: Address;
}
export type MailboxesResult =
  | { readonly ok: true; readonly mailboxes: readonly Mailbox[] }
  | { readonly ok: false; readonly fault: AddressFault; readonly message: string; readonly text: string };

/** One token: a comment's end is found by counting, everything else by its first character. */
const TOKEN = /"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[<>,;:()@.]|[^\s"[<>,;:()@.]+|\s+/gsu;

/** Reads an address list. Empty members (`,,`) and groups are let pass (RFC 5322 §4.4). Linear in the text. */
export function parseMailboxes(text: string): MailboxesResult {
  const { mailboxes, faults } = readMailboxes(text);
  return faults[0] ? { ok: false, ...faults[0] } : { ok: true, mailboxes };
}

export interface MailboxFault {
  readonly fault: AddressFault;
  readonly message: string;
  /** The member as it stands. */
  readonly text: string;
}

/** Reads an address list member by member: the malformed ones do not hide the others. */
export function readMailboxes(text: string): {
  readonly mailboxes: readonly Mailbox[];
  readonly faults: readonly MailboxFault[];
} {
  const mailboxes: Mailbox[] = [];
  const faults: MailboxFault[] = [];
  for (const { name, spec } of members(text)) {
    const parsed = parseAddress(spec);
    if (parsed.ok) mailboxes.push({ name, address: parsed.address });
    else faults.push({ fault: parsed.fault, message: parsed.message, text: spec });
  }
  return { mailboxes, faults };
}

interface Member {
  readonly name: string;
  readonly spec: string;
}

function* members(text: string): Generator<Member> {
  let before = '';
  let angle: string | null = null;
  let inAngle = false;
  const take = (): Member | null => {
    const member =
      angle === null ? { name: '', spec: before.trim() } : { name: unquote(before), spec: angle };
    before = '';
    angle = null;
    inAngle = false;
    return member.spec === '' && member.name === '' ? null : member;
  };
  for (const token of withoutComments(text)) {
    if (inAngle && token !== '>') angle += token.trim();
    else if (token === '<') [angle, inAngle] = ['', true];
    else if (token === '>') inAngle = false;
    else if (token === ',' || token === ';') {
      const member = take();
      if (member) yield member;
    } else if (token === ':') before = '';
    else before += token;
  }
  const member = take();
  if (member) yield member;
}

function* withoutComments(text: string): Generator<string> {
  let depth = 0;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '(') depth++;
    else if (token === ')' && depth > 0) depth--;
    else if (depth === 0) yield token;
  }
}

const unquote = (phrase: string): string =>
  phrase.trim().replace(/"((?:[^"\\]|\\.)*)"/gsu, (_, inside: string) => inside.replace(/\\(.)/gsu, '$1'));
