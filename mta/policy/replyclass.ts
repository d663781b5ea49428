// The class names of replies for metrics, bounces and events, and the patterns they are recognised by: text that providers
// document first, then the enhanced status (RFC 3463 and the IANA registry), then the bare code (RFC 5321 §4.2.3).
export type ReplyClass =
  | 'rate-limited'
  | 'greylisted'
  | 'source-blocked'
  | 'no-such-mailbox'
  | 'mailbox-full'
  | 'mailbox-disabled'
  | 'no-such-domain'
  | 'too-large'
  | 'content-refused'
  | 'authentication-failed'
  | 'policy'
  | 'sender-refused'
  | 'relay-denied'
  | 'tls'
  | 'routing'
  | 'protocol-error'
  | 'connection-lost'
  | 'service-unavailable'
  | 'other';

export interface ReplyFacts {
  readonly code: number;
  readonly status: string | null;
  readonly text: string;
  readonly phase: string;
}

const RATE_LIMIT = [
  // qq.com and exmail.qq.com say 550 to what passes in minutes or hours: https://smtp.codes/qq
  /\b(ip|domain|sender|connection) frequency limited\b/i,
  // Gmail: 421 4.7.28 and 550 5.7.1 "unusual rate", 450 4.2.1 and 550 5.2.1 "receiving mail at a rate": https://support.google.com/a/answer/3726730
  /unusual rate of unsolicited mail/i,
  /receiving (e?mail|messages) (at a rate|too quickly)/i,
  // Yahoo 421 4.7.0 [TSS04] "temporarily deferred due to unexpected volume": https://senders.yahooinc.com/smtp-error-codes/
  /\[TSS?0[1-7]\]/,
  // Microsoft 421 RP-001 … RP-003, 451 4.7.500 "Server busy": https://sendersupport.olc.protection.outlook.com/pm/troubleshooting
  /\bRP-00[123]\b/,
  /\bserver busy\b/i,
  // Comcast 421 RL000001 … RL000010
  /\bRL0000(0[0-9]|10)\b/,
  // NetEase (163.com, 126.com) HL:ICC, HL:IFC, MI:SFQ, RP:QRC …
  /\b(HL:(ICC|IFC)|MI:(SFQ|IMF|DMC)|RP:(QRC|DRC|ORQ|TRC))\b/,
  /\b(rate limit(ed)?|ratelimit(ed)?|throttl(ed|ing)|too many (connections|messages|emails|sessions))\b/i,
  /too much mail|slow(ing)? down|exceeded the (rate|maximum number of connections)/i,
];

const SOURCE_BLOCK =
  /spamhaus|spamcop|barracudacentral|\b(rbl|dnsbl)\b|block ?list|black ?list|\b(is|was|been) (listed|blocked)\b|poor reputation|bad reputation|\[(BL21|BL23)\]|no (ptr|reverse dns)|reverse dns|access denied/i;

/** The remote asks us to send less, whatever code it uses. */
export function isRateLimit(reply: { readonly code: number | null; readonly text: string }): boolean {
  return (reply.code ?? 0) >= 400 && RATE_LIMIT.some((pattern) => pattern.test(reply.text));
}

const OF_THE_ADDRESS: ReadonlySet<string> = new Set<ReplyClass>(['rate-limited', 'source-blocked', 'policy']);

/** Deferrals of these classes speak of the source address; the others of the mailbox, the host, or nobody known. */
export const speaksOfAddress = (kind: string): boolean => OF_THE_ADDRESS.has(kind);

/** The remote refuses our source address. */
export const isSourceBlock = (reply: { readonly text: string }): boolean => SOURCE_BLOCK.test(reply.text);

const status =
  (...list: readonly string[]) =>
  (facts: ReplyFacts) =>
    facts.status !== null && list.includes(facts.status.slice(2));
const text = (pattern: RegExp) => (facts: ReplyFacts) => pattern.test(facts.text);
const code =
  (...list: readonly number[]) =>
  (facts: ReplyFacts) =>
    list.includes(facts.code);

/** Read from the top; the first that holds names the class. */
export const REPLY_CLASSES: readonly {
  readonly name: ReplyClass;
  readonly when: (facts: ReplyFacts) => boolean;
}[] = [
  { name: 'rate-limited', when: isRateLimit },
  { name: 'greylisted', when: (facts) => facts.code < 500 && /gr[ea]y-?list/i.test(facts.text) },
  { name: 'tls', when: (facts) => facts.phase === 'starttls' || facts.phase === 'tls' },
  { name: 'mailbox-full', when: status('2.2') },
  { name: 'mailbox-full', when: text(/over ?quota|quota exceeded|(mailbox|inbox|storage) (is )?full/i) },
  { name: 'authentication-failed', when: status('7.20', '7.21', '7.22', '7.23', '7.24', '7.25', '7.26') },
  { name: 'authentication-failed', when: text(/\b(dmarc|dkim|spf)\b.*(fail|reject|not pass|required)/i) },
  { name: 'no-such-domain', when: status('1.2', '1.10') },
  { name: 'mailbox-disabled', when: status('2.1', '1.6') },
  {
    name: 'mailbox-disabled',
    when: text(/(account|mailbox|user).{0,30}(disabled|suspended|inactive|locked)/i),
  },
  {
    name: 'relay-denied',
    when: text(/relay(ing)? (access )?(is )?(denied|not permitted|not allowed|prohibited)/i),
  },
  { name: 'source-blocked', when: isSourceBlock },
  { name: 'no-such-mailbox', when: status('1.1', '1.3', '1.4') },
  {
    name: 'no-such-mailbox',
    when: text(
      /(user|recipient|mailbox|address).{0,30}(unknown|not found|does not exist|doesn't exist)|no such (user|recipient|mailbox)|unknown (user|recipient)/i,
    ),
  },
  { name: 'sender-refused', when: status('1.7', '1.8') },
  { name: 'too-large', when: status('2.3', '3.4') },
  { name: 'content-refused', when: text(/\b(spam|virus|malware|phish\w*|content (rejected|denied))\b/i) },
  { name: 'content-refused', when: (facts) => /^[45]\.6\./.test(facts.status ?? '') },
  { name: 'tls', when: status('7.10') },
  { name: 'tls', when: code(530) },
  { name: 'policy', when: (facts) => /^[45]\.7\./.test(facts.status ?? '') },
  { name: 'routing', when: (facts) => /^[45]\.4\./.test(facts.status ?? '') },
  { name: 'protocol-error', when: (facts) => /^[45]\.5\./.test(facts.status ?? '') },
  { name: 'service-unavailable', when: (facts) => facts.code === 421 || /^4\.3\./.test(facts.status ?? '') },
  { name: 'too-large', when: (facts) => facts.code === 552 && facts.phase !== 'rcpt' },
  { name: 'mailbox-full', when: code(452, 552) },
  { name: 'sender-refused', when: (facts) => facts.phase === 'mail' && facts.code >= 550 },
  {
    name: 'no-such-mailbox',
    when: (facts) => facts.phase === 'rcpt' && [550, 551, 553].includes(facts.code),
  },
  { name: 'protocol-error', when: code(500, 501, 502, 503, 504, 555) },
  { name: 'service-unavailable', when: (facts) => facts.phase === 'greeting' || facts.phase === 'ehlo' },
  { name: 'policy', when: (facts) => facts.code === 554 || facts.code === 550 },
];
