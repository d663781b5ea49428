// A large queue of deferred mail, quickly made: small messages, one recipient each, all put off at their first attempt; and whether a
// mail server ever saw one of them again too early.
import type { InternetRecord } from '../internet/record.ts';
import type { Submission } from '../sender/record.ts';
import type { Stage } from '../stage/stage.ts';

/** Messages `from` … `to` − 1, in turn to all domains. */
export function smallMail({ world }: Stage, prefix: string, from: number, to: number): Submission[] {
  return Array.from({ length: to - from }, (_, at) => {
    const number = from + at;
    const { domain } = world.domains[number % world.domains.length] as { readonly domain: string };
    const testId = `${prefix}-${number}`;
    const recipient = `${prefix}.${number}@${domain}`;
    const head = [
      `From: <news@${world.senderDomain}>`,
      `To: <${recipient}>`,
      `Subject: ${testId}`,
      `Message-ID: <${testId}@${world.senderDomain}>`,
      `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
      `X-Test-Id: ${testId}`,
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=us-ascii',
    ];
    const message = Buffer.from(`${head.join('\r\n')}\r\n\r\nhello\r\n`);
    return { testId, from: `news@${world.senderDomain}`, recipients: [recipient], message };
  });
}

/** Every mail server puts everything off, or takes everything. */
export async function everywhere({ world, internet }: Stage, what: 'defers' | 'accepts'): Promise<void> {
  const defer = { share: 1, forSeconds: 86_400, reply: '451 4.3.2 not now' };
  for (const { hostname } of world.hosts)
    await internet.setBehaviour(hostname, what === 'defers' ? { defer } : {});
}

export interface Patience {
  /** Most attempts that any recipient took. */
  readonly mostAttempts: number;
  /** Retries that came before their time, `recipient: after n attempts, x s`. A count that began anew would be one, for intervals rise. */
  readonly early: readonly string[];
}

/** The clock of the mail servers is that of the pods, and an attempt is over after its reply was written down. */
const TOLERANCE_MS = 5;

/** Judges the times at which mail servers saw each recipient by the retry intervals (rising, without jitter). Pure. */
export function patienceOf(
  records: readonly InternetRecord[],
  intervalsSeconds: readonly number[],
): Patience {
  const times = new Map<string, number[]>();
  for (const record of records) {
    if (record.kind !== 'attempt') continue;
    const before = times.get(record.recipient);
    if (before) before.push(record.at);
    else times.set(record.recipient, [record.at]);
  }
  const early: string[] = [];
  let mostAttempts = 0;
  for (const [recipient, seen] of times) {
    seen.sort((a, b) => a - b);
    mostAttempts = Math.max(mostAttempts, seen.length);
    for (let attempts = 1; attempts < seen.length; attempts++) {
      const waited = (seen[attempts] as number) - (seen[attempts - 1] as number);
      const due = (intervalsSeconds[Math.min(attempts, intervalsSeconds.length) - 1] as number) * 1000;
      if (waited < due - TOLERANCE_MS)
        early.push(`${recipient}: after ${attempts} attempts, ${waited / 1000} s`);
    }
  }
  return { mostAttempts, early };
}
