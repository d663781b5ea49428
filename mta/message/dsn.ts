// The text of a bounce: a delivery status notification (RFC 3464 in a RFC 3462 multipart/report), unsigned, without trace.

import { isAscii } from './addresses.ts';
import type { BounceRequest } from './bounce.ts';
import { type Field, field, headerBytes } from './fields.ts';
import { dateText } from './headers.ts';
import { encodeQuotedPrintable } from './quoted_printable.ts';

export interface DsnContext {
  /** The server that reports. */
  readonly hostname: string;
  /** Unique to the notification: Message-ID and boundary are made of it. */
  readonly id: string;
  readonly now: Date;
}

/** The whole message with CRLF line ends. Its envelope sender is the null path. */
export function dsnMessage(request: BounceRequest, { hostname, id, now }: DsnContext): Buffer {
  const boundary = `=_${id}`;
  const fields: Field[] = [
    field('From', `Mail Delivery System <MAILER-DAEMON@${request.sendingDomain}>`),
    field('To', `<${request.from}>`),
    field('Subject', 'Undelivered Mail Returned to Sender'),
    field('Date', dateText(now)),
    field('Message-ID', `<${id}@${request.sendingDomain}>`),
    // RFC 3834 §5: so that no robot answers it.
    field('Auto-Submitted', 'auto-replied'),
    field('MIME-Version', '1.0'),
    field('Content-Type', `multipart/report; report-type=delivery-status;\r\n boundary="${boundary}"`),
  ];
  const original = encodeQuotedPrintable(Buffer.from(request.originalHeaders, 'base64'));
  const parts = [
    part(
      'text/plain; charset=utf-8',
      'quoted-printable',
      encodeQuotedPrintable(Buffer.from(explanation(request))),
    ),
    part('message/delivery-status', '7bit', Buffer.from(deliveryStatus(request, hostname, now))),
    part('text/rfc822-headers', 'quoted-printable', original),
  ];
  const open = Buffer.from(`--${boundary}\r\n`);
  const framed = parts.flatMap((one) => [open, one, Buffer.from('\r\n')]);
  return Buffer.concat([headerBytes(fields), ...framed, Buffer.from(`--${boundary}--\r\n`)]);
}

function part(type: string, encoding: string, body: Buffer): Buffer {
  const fields = [field('Content-Type', type), field('Content-Transfer-Encoding', encoding)];
  return Buffer.concat([headerBytes(fields), body]);
}

function explanation(request: BounceRequest): string {
  const said = request.reply
    ? `${request.remoteMta ? `${clean(request.remoteMta)} said` : 'The reason'}: ${clean(request.reply)}`
    : '';
  return [
    request.kind === 'expired'
      ? 'Your message could not be delivered in time and will not be tried again:'
      : 'Your message could not be delivered:',
    '',
    `    <${request.recipient}>`,
    '',
    said,
    '',
    `Accepted: ${dateText(new Date(request.acceptedAt))}; attempts: ${request.attempts}.`,
    'The header of your message is attached.',
    '',
  ].join('\r\n');
}

function deliveryStatus(request: BounceRequest, hostname: string, now: Date): string {
  const status = /^[245]\.\d{1,3}\.\d{1,3}$/.test(request.status) ? request.status : '5.0.0';
  const perRecipient = [
    `Final-Recipient: ${typedAddress(request.recipient)}`,
    'Action: failed',
    // A 4.x.x that lasted to the end is still a failure (RFC 3464 §2.3.4 leaves the code as the remote gave it).
    `Status: ${status}`,
    ...(request.remoteMta ? [`Remote-MTA: dns; ${clean(request.remoteMta)}`] : []),
    ...(request.reply
      ? [
          `Diagnostic-Code: ${request.remoteMta ? 'smtp' : 'x-postfleet'}; ${folded(ascii(clean(request.reply)))}`,
        ]
      : []),
    `Last-Attempt-Date: ${dateText(now)}`,
  ];
  const perMessage = [
    `Reporting-MTA: dns; ${hostname}`,
    `X-Postfleet-Id: ${request.parcelId}`,
    `Arrival-Date: ${dateText(new Date(request.acceptedAt))}`,
  ];
  return [...perMessage, '', ...perRecipient, ''].join('\r\n');
}

/** RFC 6533 §3: beyond ASCII as `\x{…}`, so that the report itself stays 7-bit. */
function typedAddress(address: string): string {
  if (isAscii(address)) return `rfc822; ${address}`;
  const escaped = [...address].map((c) =>
    isAscii(c) ? c : `\\x{${c.codePointAt(0)?.toString(16).toUpperCase()}}`,
  );
  return `utf-8; ${escaped.join('')}`;
}

/** A remote server's words go into a header: one line, no control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
const clean = (text: string): string => text.replace(/[\x00-\x1f\x7f]+/g, ' ').trim();
const ascii = (text: string): string => (isAscii(text) ? text : text.replace(/[^\x20-\x7e]/gu, '?'));
const folded = (text: string): string => (text.match(/.{1,900}/g) ?? ['']).join('\r\n ');
