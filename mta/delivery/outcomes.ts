// Tells egress what became of recipients, so that limits count who was accepted and the rest may be used by others. Reports of a
// twentieth of a second go in one request over a kept connection to each egress pod. They are totals: one that was lost is repeated, and
// what never arrives counts as used.
import { MOST_REPORTS, type OutcomeReport, REPORT_GRACE_MS, REPORTED_REPLY } from '../bus/connect.ts';
import type { AddressLease } from '../bus/snapshot.ts';
import { speaksOfAddress } from '../policy/replyclass.ts';
import type { Verdict } from './ports.ts';
import { meaningOf } from './results.ts';

type Holder = AddressLease['holder'];

/** Posts reports to an egress pod; rejects when it is unknown whether they arrived. */
export type PostReports = (holder: Holder, reports: readonly OutcomeReport[]) => Promise<void>;

/** What a session says of its grant. */
export interface GrantReports {
  /** A transaction begins. */
  begin(): void;
  /** It has ended so. */
  finish(verdicts: readonly Verdict[]): void;
  /** The connection is gone. */
  closed(): void;
}

const FLUSH_MS = 50;
const MOST_TRIES = 3;

interface Waiting {
  report: OutcomeReport;
  tries: number;
}
interface Outbox {
  readonly holder: Holder;
  readonly waiting: Map<string, Waiting>;
  flushing: Promise<void> | null;
}

export class Outcomes {
  readonly #post: PostReports;
  readonly #outboxes = new Map<string, Outbox>();

  constructor(post: PostReports) {
    this.#post = post;
  }

  /** Reports of one grant; null: egress wants none. */
  of(holder: Holder, grant: string | null): GrantReports {
    if (grant === null) return SILENT;
    let report: OutcomeReport = {
      ...{ grant, accepted: 0, deferred: 0, bounced: 0 },
      ofAddress: { deferred: 0 },
    };
    let underWay = 0;
    let isClosed = false;
    const tell = () => {
      // What is under way may still be accepted.
      if (isClosed && underWay === 0) report = { ...report, done: true };
      this.#say(holder, report);
    };
    return {
      begin: () => {
        underWay++;
      },
      finish: (verdicts) => {
        underWay--;
        report = counted(report, verdicts);
        tell();
      },
      closed: () => {
        isClosed = true;
        if (underWay === 0) tell();
      },
    };
  }

  /** Resolves when what waits was sent, or after `ms`. */
  async flush(ms: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, ms);
    const sent = Promise.all([...this.#outboxes.values()].map(({ flushing }) => flushing));
    await Promise.race([sent, late.promise]);
    clearTimeout(timer);
  }

  #say(holder: Holder, report: OutcomeReport): void {
    const key = `${holder.host}:${holder.port}`;
    const outbox = this.#outboxes.get(key) ?? { holder, waiting: new Map(), flushing: null };
    this.#outboxes.set(key, outbox);
    outbox.waiting.set(report.grant, { report, tries: 0 });
    outbox.flushing ??= this.#flush(key, outbox);
  }

  async #flush(key: string, outbox: Outbox): Promise<void> {
    while (outbox.waiting.size > 0) {
      await new Promise((resolve) => setTimeout(resolve, FLUSH_MS));
      const batch = [...outbox.waiting.values()].slice(0, MOST_REPORTS);
      for (const { report } of batch) outbox.waiting.delete(report.grant);
      try {
        await this.#post(
          outbox.holder,
          batch.map(({ report }) => report),
        );
      } catch {
        for (const one of batch) again(outbox, one);
        await new Promise((resolve) => setTimeout(resolve, REPORT_GRACE_MS / (2 * MOST_TRIES)));
      }
    }
    outbox.flushing = null;
    this.#outboxes.delete(key);
  }
}

/** Once more, unless something newer waits; after the grace nobody listens. */
function again({ waiting }: Outbox, { report, tries }: Waiting): void {
  if (tries + 1 < MOST_TRIES && !waiting.has(report.grant))
    waiting.set(report.grant, { report, tries: tries + 1 });
}

/**
 * The totals with these verdicts. A recipient that may have been accepted counts; one that was not asked about does not. One host may
 * greylist some and say of others that the address sends too much: what it says of the address is counted apart. Pure.
 */
export function counted(before: OutcomeReport, verdicts: readonly Verdict[]): OutcomeReport {
  let { accepted, deferred, bounced, refusal, ofAddress } = before;
  for (const verdict of verdicts) {
    if (verdict.kind === 'unknown') accepted++;
    if (verdict.kind !== 'reply') continue;
    const meaning = meaningOf(verdict.reply, verdict.phase);
    if (meaning.kind === 'delivered' || meaning.kind === 'proceed') {
      accepted++;
      continue;
    }
    const reply = verdict.reply.slice(0, REPORTED_REPLY);
    refusal = { reply, class: meaning.class };
    if (meaning.kind === 'bounced') bounced++;
    else {
      deferred++;
      if (speaksOfAddress(meaning.class)) ofAddress = { deferred: (ofAddress?.deferred ?? 0) + 1, reply };
    }
  }
  return { ...before, accepted, deferred, bounced, ofAddress, ...(refusal && { refusal }) };
}

const SILENT: GrantReports = { begin() {}, finish() {}, closed() {} };
