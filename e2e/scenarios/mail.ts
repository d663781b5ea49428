// Sends generated mail on a stage while something happens, and gives the judge's word when every fate is known.
import { type Judgement, judge } from '../internet/judge.ts';
import { generateAll } from '../internet/messages.ts';
import type { InternetRecord } from '../internet/record.ts';
import { domainOf } from '../internet/world.ts';
import { until } from '../rig/process.ts';
import type { SubmissionResult } from '../sender/record.ts';
import { sendAll } from '../sender/sender.ts';
import type { Stage } from '../stage/stage.ts';

export interface MailRun {
  readonly results: readonly SubmissionResult[];
  readonly records: readonly InternetRecord[];
  readonly judgement: Judgement;
}

export interface MailPlan {
  readonly seed: number;
  readonly count: number;
  readonly perSecond: number;
  /** Recipient domains; absent: all of the world. */
  readonly domains?: readonly string[];
  /** Called once when half of the messages have their answer. */
  readonly halfWay?: () => Promise<unknown>;
  /** Called at the beginning; the run ends no sooner. */
  readonly meanwhile?: () => Promise<unknown>;
}

/** Every count that must be zero, whatever happens. */
export const spotless = {
  lost: 0,
  duplicated: 0,
  ghosts: 0,
  contradicted: 0,
  strangers: 0,
  wrongSource: 0,
  unknown: 0,
};

/** Runs the plan; rejects when a fate is still unknown after three minutes, with the judge's examples. */
export async function runPlan(stage: Stage, plan: MailPlan): Promise<MailRun> {
  await stage.internet.reset();
  const domains = plan.domains ?? stage.world.domains.map(({ domain }) => domain);
  const prefix = `s${Date.now().toString(36)}`;
  const submissions = await generateAll({ ...plan, senderDomain: stage.world.senderDomain, domains, prefix });
  const results: SubmissionResult[] = [];
  let happening: Promise<unknown> | undefined;
  const meanwhile = plan.meanwhile?.();
  meanwhile?.catch(() => {}); // told below
  await sendAll(submissions, {
    smtp: stage.smtp,
    http: stage.http,
    httpEvery: 4,
    sessions: 8,
    maxAttempts: 12,
    perSecond: plan.perSecond,
    onResult(result) {
      results.push(result);
      if (results.length >= submissions.length / 2) happening ??= plan.halfWay?.();
    },
  });
  await Promise.all([happening, meanwhile]);
  return settled(stage, results);
}

async function settled(stage: Stage, results: readonly SubmissionResult[]): Promise<MailRun> {
  const allowedSources = stage.world.sendingAddresses.map(({ address }) => address);
  let judgement: Judgement | undefined;
  let records: readonly InternetRecord[] = [];
  const known = async () => {
    records = await stage.internet.records();
    judgement = judge({ sent: results, records, allowedSources, queued: 0 });
    return judgement.delivered + judgement.bounced >= judgement.accepted;
  };
  await until('every fate', known, 180_000).catch(() => {
    throw new Error(`fates unknown: ${judgement?.examples.join(', ')}`);
  });
  return { results, records, judgement: judgement as Judgement };
}

/** Recipients that the provider accepted, by the address they came from. */
export function acceptedFrom(records: readonly InternetRecord[], provider: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of records)
    if (one.kind === 'attempt' && one.outcome === 'delivered' && domainOf(one.recipient) === provider)
      counts[one.source] = (counts[one.source] ?? 0) + 1;
  return counts;
}

/** Every mail server answers "not now" at RCPT, so that spools fill and no session is at its final dot; or as the world says. */
export async function deferAll({ world, internet }: Stage, all: boolean): Promise<void> {
  const notNow = { defer: { share: 1, forSeconds: 3600, reply: '451 4.3.2 not now' } };
  for (const { hostname, behaviour } of world.hosts)
    await internet.setBehaviour(hostname, all ? notNow : behaviour);
}
