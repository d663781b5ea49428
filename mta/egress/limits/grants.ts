// The grants that are open or may still be reported about. A report names totals and comes from the pod that has the grant, so a
// late, repeated or foreign one changes nothing. What is not reported when the connection has been gone for a while counts as used.
import { randomBytes } from 'node:crypto';
import { type OutcomeReport, REPORT_GRACE_MS } from '../../bus/connect.ts';
import type { Granted } from '../../policy/limits/granted.ts';
import { speaksOfAddress } from '../../policy/replyclass.ts';
import type { Clock } from '../clock.ts';
import type { PoolClaim, RoomClaim } from './port.ts';

interface Open {
  readonly uid: string;
  readonly grant: Granted;
  readonly claim: RoomClaim | null;
  readonly pool: PoolClaim | null;
  /** Reported so far. */
  accepted: number;
  deferred: number;
  /** Of the deferred. */
  ofAddress: number;
  bounced: number;
  cancel: () => void;
  /** Told when its caller says that the connection carries nothing more. */
  readonly onDone: () => void;
}

/** A grant as its connection knows it. */
export interface GrantHandle {
  readonly id: string;
  /** The dial has ended; `none`: no packet left. */
  dialled(how: 'connected' | 'failed' | 'none'): void;
  /** The connection is gone. */
  closed(): void;
  /** False once it must carry nothing more. */
  mayCarry(): boolean;
}

/** What was granted, and what it takes of other bounds. */
export interface Parts {
  readonly grant: Granted;
  readonly claim: RoomClaim | null;
  readonly pool: PoolClaim | null;
}

export class Grants {
  readonly #open = new Map<string, Open>();
  readonly #clock: Clock;
  /** Ids of another run mean nothing here. */
  readonly #run = randomBytes(6).toString('base64url');
  #next = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * @param reports whether its caller reports outcomes; one that does not has used all of it at the end.
   * @param onDone told when its caller says that the connection carries nothing more
   */
  issue(uid: string, { grant, claim, pool }: Parts, reports: boolean, onDone: () => void): GrantHandle {
    const id = `${this.#run}-${this.#next++}`;
    const none = { accepted: 0, deferred: 0, ofAddress: 0, bounced: 0 };
    const open = { uid, grant, claim, pool, ...none, cancel: () => {}, onDone };
    this.#open.set(id, open);
    const { now } = this.#clock;
    let connected = false;
    return {
      id,
      dialled: (how) => {
        connected = how === 'connected';
        grant.dialled(now(), how !== 'none');
        pool?.dialled(how !== 'none');
      },
      closed: () => {
        grant.close(now());
        pool?.closed();
        if (!connected) this.#end(id, 0);
        else if (!reports) this.#end(id);
        else if (this.#open.has(id)) open.cancel = this.#clock.after(REPORT_GRACE_MS, () => this.#end(id));
      },
      mayCarry: () => pool?.mayCarry() ?? true,
    };
  }

  /** Takes in what `uid` says of its grants. */
  report(uid: string, reports: readonly OutcomeReport[]): void {
    for (const report of reports) {
      const open = this.#open.get(report.grant);
      if (open?.uid !== uid) continue;
      this.#take(open, report);
      if (!report.done) continue;
      this.#end(report.grant, 0);
      open.onDone();
    }
  }

  #take(open: Open, report: OutcomeReport): void {
    const { accepted, deferred, bounced } = report;
    let left = open.grant.recipients - open.accepted - open.deferred - open.bounced;
    const more = (total: number, before: number): number => {
      const units = Math.max(0, Math.min(total - before, left));
      left -= units;
      return units;
    };
    const news = {
      accepted: more(accepted, open.accepted),
      deferred: more(deferred, open.deferred),
      bounced: more(bounced, open.bounced),
    };
    const spared = news.deferred + news.bounced;
    if (news.accepted + spared === 0) return;
    const ofAddress = spokenOf(report, news.deferred, open.ofAddress);
    open.ofAddress += ofAddress;
    open.accepted += news.accepted;
    open.deferred += news.deferred;
    open.bounced += news.bounced;
    open.grant.used(this.#clock.now(), news.accepted);
    open.grant.spared(this.#clock.now(), spared);
    const reply = ofAddress > 0 ? report.ofAddress?.reply : undefined;
    for (const claim of [open.claim, open.pool])
      claim?.report({ ...news, ofAddress, reply: reply ?? report.refusal?.reply });
  }

  #end(id: string, used?: number): void {
    const open = this.#open.get(id);
    if (!open) return;
    this.#open.delete(id);
    open.cancel();
    open.grant.settleRest(this.#clock.now(), used);
    open.claim?.end(used);
    open.pool?.end(used);
  }
}

/** How many of the newly deferred were so for the sake of the source address. */
function spokenOf({ ofAddress, refusal }: OutcomeReport, deferred: number, before: number): number {
  if (ofAddress) return Math.max(0, Math.min(deferred, ofAddress.deferred - before));
  return refusal && speaksOfAddress(refusal.class) ? deferred : 0;
}
