// The kinds of mail that people send, as options for nodemailer's MailComposer.
import type { MailOptions } from 'nodemailer/lib/sendmail-transport';
import type { Random } from './random.ts';

const WORDS =
  'invoice order meeting report customer ticket account delivery summary update schedule review project team change question answer contract budget release'.split(
    ' ',
  );
const FOREIGN = [
  'Grüße aus Köln',
  'Счёт за октябрь',
  '請求書のお知らせ',
  'Café ☕ à 10 h',
  'فاتورة جديدة',
  'Žluťoučký kůň',
];

const words = (random: Random, count: number): string =>
  Array.from({ length: count }, () => random.pick(WORDS)).join(' ');
const paragraphs = (random: Random, bytes: number): string => {
  const lines: string[] = [];
  for (let length = 0; length < bytes; length += lines.at(-1)?.length ?? 1)
    lines.push(`${words(random, 9)}.`);
  return lines.join('\r\n');
};
/** Line ends of a MIME part must not depend on the machine, nor on anything but the seed. */
const base64Image = (random: Random, bytes: number) => ({
  content: random.bytes(bytes),
  contentType: 'image/png',
});

/** Name of a kind → its content. Typical mail is about 10 KB. */
export const MAIL_KINDS = {
  plain: (random) => ({ subject: words(random, 4), text: paragraphs(random, 9000) }),
  html: (random) => ({
    subject: words(random, 5),
    text: paragraphs(random, 1500),
    html: `<h1>${words(random, 3)}</h1><p>${paragraphs(random, 2500)}</p><img src="cid:logo@postfleet"><img src="cid:chart@postfleet">`,
    attachments: [
      { ...base64Image(random, 1800), filename: 'logo.png', cid: 'logo@postfleet' },
      { ...base64Image(random, 1500), filename: 'chart.png', cid: 'chart@postfleet' },
    ],
  }),
  invitation: (random) => ({
    subject: `Invitation: ${words(random, 3)}`,
    text: paragraphs(random, 3000),
    icalEvent: { method: 'REQUEST', content: calendar(random) },
  }),
  utf8: (random) => ({
    subject: `${random.pick(FOREIGN)}: ${words(random, 2)}`,
    text: Array.from({ length: 120 }, () => `${random.pick(FOREIGN)}, ${words(random, 6)}.`).join('\r\n'),
  }),
  quotedPrintable: (random) => ({
    subject: words(random, 6),
    textEncoding: 'quoted-printable',
    text: Array.from({ length: 80 }, () => `${random.pick(FOREIGN)} = ${words(random, 12)}`).join('\r\n'),
  }),
  /** A body line over the 998 octets of RFC 5322 §2.1.1, sent as some software does: unencoded. */
  longLines: (random) => ({
    subject: words(random, 3),
    raw: `${words(random, 400)}\r\nshort\r\n${words(random, 700)}\r\n.hidden dot\r\n`,
  }),
  attachment: (random) => ({
    subject: `${words(random, 2)} (large)`,
    text: paragraphs(random, 1000),
    attachments: [
      { filename: 'archive.bin', content: random.bytes(3_750_000), contentType: 'application/octet-stream' },
    ],
  }),
} satisfies Record<string, (random: Random) => MailOptions & { readonly raw?: string }>;
export type MailKind = keyof typeof MAIL_KINDS;

/** Of a hundred messages. The attachment of 5 MB (encoded) is one in a hundred, and is dealt separately. */
const FREQUENCY: readonly (readonly [MailKind, number])[] = [
  ['plain', 40],
  ['html', 25],
  ['invitation', 8],
  ['utf8', 12],
  ['quotedPrintable', 8],
  ['longLines', 7],
];
export const LARGE_EVERY = 100;

export function kindOf(random: Random, index: number): MailKind {
  if (index % LARGE_EVERY === LARGE_EVERY - 1) return 'attachment';
  let left = random.below(100);
  for (const [kind, share] of FREQUENCY) {
    left -= share;
    if (left < 0) return kind;
  }
  return 'plain';
}

function calendar(random: Random): string {
  const uid = random.bytes(8).toString('hex');
  return [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//Postfleet//demo//EN',
    'METHOD:REQUEST',
    'BEGIN:VEVENT',
    `UID:${uid}@postfleet`,
    'DTSTAMP:20260102T030405Z',
    'DTSTART:20260203T100000Z',
    'DTEND:20260203T110000Z',
    `SUMMARY:${words(random, 3)}`,
    'END:VEVENT',
    'END:VCALENDAR',
    '',
  ].join('\r\n');
}
