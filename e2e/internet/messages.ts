// Generates the mail of a demo or a test: the same seed gives the same messages, byte for byte.
import MailComposer from 'nodemailer/lib/mail-composer';
import type { Submission } from '../sender/record.ts';
import { TEST_ID } from './headers.ts';
import { kindOf, MAIL_KINDS, type MailKind } from './mail_kinds.ts';
import { type Random, seeded } from './random.ts';
import { UTF8_DOMAIN } from './world.ts';

export interface Plan {
  readonly seed: number;
  readonly count: number;
  readonly senderDomain: string;
  /** Domains to send to. */
  readonly domains: readonly string[];
  /** Put in front of each number in X-Test-Id, so that runs can be told apart. */
  readonly prefix?: string;
}
export interface Generated extends Submission {
  readonly kind: MailKind;
}

const NAMES = 'ada grace alan edsger barbara donald frances dennis radia ken margaret tony'.split(' ');
/** One in so many messages goes to several recipients. */
const SEVERAL_EVERY = 8;
/** One in so many to the domain that takes them has a UTF-8 address. */
const UTF8_EVERY = 3;

export async function* generate(plan: Plan): AsyncGenerator<Generated> {
  const { prefix = 't' } = plan;
  for (let index = 0; index < plan.count; index++) {
    // Each message has a generator of its own: the thousandth is the same whether ten or ten thousand are made.
    const random = seeded(plan.seed * 1_000_003 + index);
    const testId = `${prefix}-${plan.seed}-${index}`;
    const kind = kindOf(random, index);
    const recipients = recipientsOf(random, plan, index);
    const from = `${random.pick(NAMES)}@${plan.senderDomain}`;
    yield {
      testId,
      kind,
      from,
      recipients,
      message: await compose(random, kind, { testId, index, from, recipients }),
    };
  }
}

/** All of `generate` at once. */
export async function generateAll(plan: Plan): Promise<Generated[]> {
  const all: Generated[] = [];
  for await (const one of generate(plan)) all.push(one);
  return all;
}

function recipientsOf(random: Random, { domains }: Plan, index: number): string[] {
  const count = random.below(SEVERAL_EVERY) === 0 ? 2 + random.below(4) : 1;
  const addresses = Array.from({ length: count }, (_, i) => {
    const domain = domains[(index + i * 7 + (i && random.below(3))) % domains.length] ?? 'example.com';
    const name = domain === UTF8_DOMAIN && random.below(UTF8_EVERY) === 0 ? 'jörg' : random.pick(NAMES);
    return `${name}.${index}.${i}@${domain}`;
  });
  return [...new Set(addresses)];
}

interface Head {
  readonly testId: string;
  readonly index: number;
  readonly from: string;
  readonly recipients: readonly string[];
}

async function compose(
  random: Random,
  kind: MailKind,
  { testId, index, from, recipients }: Head,
): Promise<Buffer> {
  const content = MAIL_KINDS[kind](random);
  const common = {
    from: `${random.pick(['Ada', 'Jörg Müller', 'Team Example, Inc.'])} <${from}>`,
    to: recipients.slice(0, 2).join(', '),
    cc: recipients.slice(2).join(', '),
    date: new Date(Date.UTC(2026, 0, 2) + index * 1000),
    messageId: `<${testId}@${from.split('@')[1]}>`,
    headers: { [TEST_ID]: testId },
  };
  if (kind === 'longLines') return longLines(common, content as { subject: string; raw: string });
  const composer = new MailComposer({
    ...content,
    ...common,
    newline: 'windows',
    baseBoundary: testId,
  } as never);
  return composer.compile().build();
}

/** By hand: MailComposer would encode the lines. */
function longLines(
  {
    to,
    date,
    messageId,
    headers,
  }: { to: string; date: Date; messageId: string; headers: Record<string, string> },
  { subject, raw }: { subject: string; raw: string },
): Buffer {
  const testId = headers[TEST_ID] ?? '';
  const from = messageId.replace(/^<.*@|>$/g, '');
  const head = [
    `From: monitor@${from}`,
    `To: ${to}`,
    `Subject: ${subject}`,
    `Date: ${date.toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: ${messageId}`,
    `${TEST_ID}: ${testId}`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=us-ascii',
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${raw}`);
}
