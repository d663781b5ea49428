// One attempt, from the choice of the source address to the last reply: addresses and MX hosts in order, over an idle session or a new one.
import { isIP } from 'node:net';
import type { Log } from '../../process/log.ts';
import type { AddressLease, IPPoolSnapshot } from '../bus/snapshot.ts';
import type { Parcel } from '../message/parcel.ts';
import { NO_UTF8 } from './endings.ts';
import { Families } from './families.ts';
import { Hosts } from './hosts.ts';
import { Opener, type Wanting } from './opener.ts';
import { Outcomes } from './outcomes.ts';
import { Patience, STALE } from './patience.ts';
import type { AttemptResult, Clock, Policy, Returning, Sender, Task, Verdict } from './ports.ts';
import { Returns } from './returns.ts';
import { Rooms } from './rooms.ts';
import { Session } from './session.ts';
import { SessionPool } from './session-pool.ts';
import { type Choice, chooseSources, type Source } from './sources.ts';
import type { Tunnels } from './tunnel.ts';
import {
  all,
  isConnectionScope,
  NO_ADDRESS,
  nextSource,
  refusesAddress,
  shorter,
  type Try,
  untilTomorrow,
  wait,
} from './verdicts.ts';

export interface SenderParts {
  readonly tunnels: Tunnels;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly policy: () => Policy;
  readonly ipPool: () => IPPoolSnapshot | null;
  readonly leases: () => ReadonlyMap<string, AddressLease>;
  readonly epochs: () => string;
  /** Egress knows a newer epoch than ours, or has fenced this pod; or, with false, grants again. */
  readonly stale: (stale: boolean) => void;
}

/** How long the last reports may take at the end: what does not arrive counts as used. */
const LAST_REPORTS_MS = 2000;

export class EgressSender implements Sender {
  readonly #parts: SenderParts;
  readonly pool: SessionPool;
  readonly #outcomes: Outcomes;
  readonly #hosts: Hosts;
  readonly #patience: Patience;
  readonly #opener: Opener;
  readonly #returns: Returns;
  readonly #rooms: Rooms;
  readonly #families: Families;
  readonly #running = new Set<Promise<unknown>>();
  #stopping = false;

  constructor(parts: SenderParts) {
    this.#parts = parts;
    this.pool = new SessionPool(parts.clock.monotonic);
    this.#hosts = new Hosts(parts.clock.monotonic, parts.random);
    this.#patience = new Patience(parts.clock.monotonic, parts.stale);
    this.#returns = new Returns(this.#patience, parts.clock.monotonic);
    this.#rooms = new Rooms(parts.clock.now);
    this.#families = new Families(parts.clock.monotonic);
    this.#outcomes = new Outcomes(parts.tunnels.report);
    const known = {
      ...{ pool: this.pool, hosts: this.#hosts, patience: this.#patience },
      ...{ rooms: this.#rooms, families: this.#families },
    };
    this.#opener = new Opener(parts, known, this.#outcomes, () => this.#stopping);
  }

  async send(
    task: Task,
    parcel: Omit<Parcel, 'recipients'>,
    addresses: readonly string[],
    returning: Returning,
    want: number = addresses.length,
  ): Promise<AttemptResult> {
    const run = this.#attempt({ ...task, want }, parcel, addresses, returning).catch((error: unknown) => {
      this.#parts.log.error({ hopId: task.hopId, err: error }, 'a session failed in an unforeseen way');
      return all(task, addresses, { kind: 'failed', why: `4.3.0 ${(error as Error).message}` });
    });
    this.#running.add(run);
    try {
      return await run;
    } finally {
      this.#running.delete(run);
    }
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.pool.abort();
    // What has not been greeted has sent nothing.
    this.#opener.dropUngreeted();
    this.#parts.tunnels.close();
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([Promise.allSettled([...this.#running]), grace]);
    clearTimeout(timer);
    for (const session of this.pool.open()) session.close();
    await this.#outcomes.flush(LAST_REPORTS_MS);
    this.#parts.tunnels.closeReports();
  }

  /** Who holds which address has changed. */
  leasesChanged(): void {
    const ended = this.#parts.tunnels.endLost(this.#parts.leases());
    if (ended > 0) this.#parts.log.info({ ended }, 'connections through a former holder are ended');
  }

  /** Its addresses, weights or warm-up have changed. */
  ipPoolChanged(): void {
    this.#rooms.clear();
  }

  rest(): void {
    this.pool.endIdle();
  }

  connections(): Iterable<Session> {
    return this.pool.open();
  }

  async #attempt(
    task: Wanting,
    parcel: Omit<Parcel, 'recipients'>,
    addresses: readonly string[],
    returning: Returning,
  ): Promise<AttemptResult> {
    const { sources, first, until } = this.#choose(task, parcel, returning);
    const { sticky } = returning;
    const reused = await this.#overIdle(task, parcel, addresses, sticky, sources.slice(0, first));
    if (reused) return reused;
    let unable: Verdict | null = null;
    let lacking: Verdict | null = null;
    let refused: { readonly verdict: Verdict; readonly source: string } | null = null;
    const none = until === null ? NO_ADDRESS : untilTomorrow((until - this.#parts.clock.now()) / 1000);
    let verdict: Verdict = none;
    const failedFrom = new Set<number>();
    for (const [place, source] of sources.entries()) {
      // What is open from a warmed address comes after what may be opened from a young one.
      const later =
        place === first && (await this.#overIdle(task, parcel, addresses, sticky, sources.slice(first)));
      if (later) return later;
      // Hosts that failed from one address fail from the next, unless it is of the other family.
      if (failedFrom.has(isIP(source.address))) continue;
      for (const { host } of this.#hosts.inOrder(task.hosts)) {
        if (this.#stopping) return all(task, addresses, { kind: 'aborted' });
        if (!this.#families.canReach(host, source.address)) {
          lacking ??= { kind: 'failed', why: `4.4.1 ${host}: NoSuchHost` };
          continue;
        }
        const tried = await this.#try(task, parcel, addresses, source, host);
        if (tried.kind === 'done') return tried.result;
        // Of the other family it may have an address.
        if (tried.kind === 'nextFamily') {
          lacking ??= tried.verdict;
          continue;
        }
        // A host that failed says more than an address without room.
        if (tried.kind === 'nextHost' || verdict.kind === 'noRoom') verdict = shorter(verdict, tried.verdict);
        if (tried.kind === 'nextSource') {
          const own = this.#returns.waitFor(task, source, sticky, sources);
          if (own) return all(task, addresses, own);
          break;
        }
        if (refusesAddress(tried.verdict)) refused = { verdict: tried.verdict, source: source.address };
        if (tried.verdict === NO_UTF8) unable = NO_UTF8;
        failedFrom.add(isIP(source.address));
      }
    }
    if (verdict === none && lacking) verdict = lacking;
    // Of the hosts that could be asked none was able to take it: that is final, whatever the others would say.
    const result = all(task, addresses, this.#stopping ? { kind: 'aborted' } : (unable ?? verdict));
    // Which address it was is part of the answer only where the host has refused it, greeting or not.
    return refused?.verdict === result.verdicts[0] ? { ...result, source: refused?.source ?? null } : result;
  }

  #choose(task: Task, parcel: Omit<Parcel, 'recipients'>, returning: Returning): Choice {
    const { ipPool, leases, random, clock } = this.#parts;
    const { sendingDomain, engaged = false } = parcel;
    return chooseSources(
      { sendingDomain, engaged, ...returning },
      {
        ipPool: ipPool() ?? { addresses: [] },
        leases: leases(),
        room: (address) => this.#rooms.of(address, task.provider),
        now: clock.now(),
        random,
      },
    );
  }

  /**
   * An open connection is taken before a new one is asked for, from whichever address: the weights hold where connections are
   * opened. What must return from its address takes only that one's. Null: there is none, or the host had closed it.
   */
  async #overIdle(
    task: Wanting,
    parcel: Omit<Parcel, 'recipients'>,
    addresses: readonly string[],
    sticky: string | null,
    sources: readonly Source[],
  ): Promise<AttemptResult | null> {
    const bound = sources.find(({ address }) => address === sticky);
    for (const { address } of bound ? [bound] : sources) {
      const idle = this.pool.take(task.site, address, addresses.length, this.#parts.policy().tls);
      if (!idle) continue;
      const result = await this.#transact(task, idle, parcel, addresses);
      // A host may close an idle connection at any time; nothing was sent, so a fresh one is asked for.
      if (!result.verdicts.every((one) => one.kind === 'failed' || one === NO_UTF8)) return result;
    }
    return null;
  }

  async #try(
    task: Wanting,
    parcel: Omit<Parcel, 'recipients'>,
    addresses: readonly string[],
    source: Source,
    host: string,
  ): Promise<Try> {
    const full = this.#patience.fullFor(source.address, task.provider);
    if (full > 0) return nextSource(wait(full, 'connection limit reached'));
    const stale = this.#patience.staleFor(this.#parts.epochs());
    if (stale > 0) return { kind: 'done', result: all(task, addresses, wait(stale, STALE)) };
    const session = await this.#opener.open(task, source, host);
    if (!(session instanceof Session)) return session;
    return this.#afterGreeting(await this.#transact(task, session, parcel, addresses));
  }

  /** A host that refused the whole connection (421 at MAIL), or cannot take the message at all, leaves the others. */
  #afterGreeting(result: AttemptResult): Try {
    const [first] = result.verdicts;
    if (first === NO_UTF8 && result.verdicts.every((one) => one === first))
      return { kind: 'nextHost', verdict: first };
    const refused =
      first?.kind === 'reply' &&
      result.verdicts.every((one) => one === first) &&
      isConnectionScope(first.reply, first.phase === 'mail');
    return refused ? { kind: 'nextHost', verdict: first } : { kind: 'done', result };
  }

  async #transact(
    task: Wanting,
    session: Session,
    parcel: Omit<Parcel, 'recipients'>,
    addresses: readonly string[],
  ): Promise<AttemptResult> {
    const verdicts: Verdict[] = [];
    // A grant may allow fewer recipients than the transaction has.
    const most = Math.max(1, session.recipientsLeft);
    verdicts.push(...(await session.send(parcel, addresses.slice(0, most))));
    for (const _ of addresses.slice(most))
      verdicts.push(wait(1, 'the connection may carry no more recipients'));
    try {
      this.pool.giveBack(task.site, session);
    } catch (error) {
      // The replies stand, whatever becomes of the connection.
      this.#parts.log.error({ err: error, host: session.host }, 'a session cannot be given back');
    }
    return {
      verdicts,
      source: session.source,
      provider: session.provider || task.provider,
      host: session.host,
    };
  }
}
