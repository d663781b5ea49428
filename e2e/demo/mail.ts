// The mail of the demo: submits it, scales the pool down half-way, and waits until every recipient's fate is known.
import { setTimeout as delay } from 'node:timers/promises';
import { type Judgement, judge } from '../internet/judge.ts';
import { generateAll } from '../internet/messages.ts';
import type { InternetRecord } from '../internet/record.ts';
import type { SubmissionResult } from '../sender/record.ts';
import { sendAll } from '../sender/sender.ts';
import { NAMESPACE } from '../stage/install.ts';
import type { Stage } from '../stage/stage.ts';
import { type PoolView, readPool } from './pool.ts';
import type { Progress } from './progress.ts';

export interface MailOptions {
  readonly seed: number;
  readonly messages: number;
  /** Submissions per second over all sessions. */
  readonly perSecond: number;
  /** How long the last recipients may take after the last submission. */
  readonly settleSeconds: number;
}

export interface MailOutcome {
  readonly judgement: Judgement;
  readonly records: readonly InternetRecord[];
  readonly pool: PoolView;
}

const HALF_WAY_REPLICAS = 1;

/** Runs the mail through; rejects only when the cluster itself fails. */
export async function runMail(stage: Stage, options: MailOptions, progress: Progress): Promise<MailOutcome> {
  await stage.internet.reset();
  const domains = stage.world.domains.map(({ domain }) => domain);
  // Message-IDs differ from run to run: the same ones within 24 h would rightly be taken for a client's repeats.
  const prefix = `demo${Date.now().toString(36)}`;
  const submissions = await generateAll({
    seed: options.seed,
    count: options.messages,
    senderDomain: stage.world.senderDomain,
    domains,
    prefix,
  });
  progress.step(`${submissions.length} messages to ${domains.length} domains, seed ${options.seed}`);
  const results: SubmissionResult[] = [];
  let scaling: Promise<unknown> | null = null;
  const sending = sendAll(submissions, {
    smtp: stage.smtp,
    http: stage.http,
    httpEvery: 5,
    sessions: 16,
    maxAttempts: 10,
    perSecond: options.perSecond,
    onResult(result) {
      results.push(result);
      if (results.length >= submissions.length / 2) scaling ??= scaleDown(stage, progress);
    },
  });
  return settle(stage, sending, results, options, progress, prefix, () => scaling);
}

async function scaleDown(stage: Stage, progress: Progress): Promise<void> {
  progress.step(`half-way: kubectl -n ${NAMESPACE} scale sendingpool/demo --replicas=${HALF_WAY_REPLICAS}`);
  await stage.cluster.kubectl([
    '-n',
    NAMESPACE,
    'scale',
    'sendingpool/demo',
    `--replicas=${HALF_WAY_REPLICAS}`,
  ]);
}

async function settle(
  stage: Stage,
  sending: Promise<unknown>,
  results: readonly SubmissionResult[],
  options: MailOptions,
  progress: Progress,
  prefix: string,
  scaling: () => Promise<unknown> | null,
): Promise<MailOutcome> {
  let seen = 0;
  let sent = false;
  const finished = sending.then(() => {
    sent = true;
  });
  const records: InternetRecord[] = [];
  const allowedSources = stage.world.sendingAddresses.map(({ address }) => address);
  let deadline = Number.POSITIVE_INFINITY;
  for (;;) {
    const fresh = await stage.internet.records(seen);
    seen = fresh.at(-1)?.seq ?? seen;
    // A demo that was cut off may have left mail that is still on its way.
    records.push(...fresh.filter((record) => numberOf(record)?.startsWith(prefix) ?? true));
    const pool = await readPool(stage.cluster);
    const judgement = judge({ sent: results, records, allowedSources, queued: pool.backlog });
    progress.show(progressLine(results.length, judgement, pool));
    if (sent && deadline === Number.POSITIVE_INFINITY)
      deadline = performance.now() + options.settleSeconds * 1000;
    const settled =
      judgement.delivered + judgement.bounced >= judgement.accepted && pool.replicas === HALF_WAY_REPLICAS;
    if (sent && (settled || performance.now() > deadline)) {
      await Promise.all([finished, scaling()]);
      return { judgement, records, pool };
    }
    await delay(500);
  }
}

/** The number of the message that a record speaks of, when it is known. */
function numberOf(record: InternetRecord): string | null {
  if (record.kind === 'answer') return null;
  return record.kind === 'message' ? (record.dsn?.testId ?? record.testId) : record.testId;
}

function progressLine(sent: number, judgement: Judgement, pool: PoolView): string {
  const waiting = judgement.accepted - judgement.delivered - judgement.bounced;
  const drain = pool.drain ? `   drain: ${pool.drain}` : '';
  return `sent ${sent}   accepted ${judgement.accepted}   delivered ${judgement.delivered}   bounced ${judgement.bounced}   waiting ${waiting}   pods ${pool.replicas}${drain}`;
}
