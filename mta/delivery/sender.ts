// One attempt, from the choice of the source address to the last reply: addresses and MX hosts in order, over an idle session or a new one.
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import type { Log } from '../../process/log.ts';
import type { AddressLease, IPPoolSnapshot } from '../bus/snapshot.ts';
import type { Parcel } from '../message/parcel.ts';
import { Families } from './families.ts';
import { Hosts } from './hosts.ts';
import { Outcomes } from './outcomes.ts';
import { Patience, STALE } from './patience.ts';
import type { AttemptResult, Clock, Policy, Returning, Sender, Task, Verdict } from './ports.ts';
import { Returns } from './returns.ts';
import { Rooms } from './rooms.ts';
import { NO_UTF8, Session, SessionFailed, type SessionOptions } from './session.ts';
import { SessionPool } from './session-pool.ts';
import { type Choice, chooseSources, type Source } from './sources.ts';
import { type Grant, TunnelRefused, type Tunnels } from './tunnel.ts';
import {
  all,
  FULL,
  isConnectionScope,
  NO_ADDRESS,
  nextSource,
  refusesAddress,
  shorter,
  type Try,
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

/** Waits when egress gives no time of its own, in seconds. */
const WAIT = { limit: 15, freed: 0.25, holder: 5, warmup: 60 } as const;
/** How long the last reports may take at the end: what does not arrive counts as used. */
const LAST_REPORTS_MS = 2000;

/** How many recipients wait for the site, those of the task included. */
interface Wanting extends Task {
  readonly want: number;
}

export class EgressSender implements Sender {
  readonly #parts: SenderParts;
  readonly pool: SessionPool;
  readonly #outcomes: Outcomes;
  readonly #hosts: Hosts;
  readonly #patience: Patience;
  readonly #returns: Returns;
  readonly #rooms: Rooms;
  readonly #families: Families;
  readonly #running = new Set<Promise<unknown>>();
  /** Sockets on which the host has not greeted yet. */
  readonly #greeting = new Set<Grant['socket']>();
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
    for (const socket of this.#greeting) socket.destroy();
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
    const none = until === null ? NO_ADDRESS : this.#untilTomorrow((until - this.#parts.clock.now()) / 1000);
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

  /** The policy may change meanwhile, and looking again costs nothing: nobody is asked. */
  #untilTomorrow(seconds: number): Verdict {
    return wait(Math.min(WAIT.warmup, Math.max(1, seconds)), 'the warm-up allowance of the day is used up');
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
    const session = await this.#connect(task, source, host);
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

  async #connect(task: Wanting, source: Source, host: string): Promise<Session | Try> {
    try {
      const session = await this.#open(task, source, host);
      this.#hosts.reached(host);
      if (!this.#stopping) return session;
      session.close();
      return { kind: 'nextHost', verdict: { kind: 'aborted' } };
    } catch (error) {
      if (this.#stopping) return { kind: 'nextHost', verdict: { kind: 'aborted' } };
      if (error instanceof TunnelRefused) return this.#refused(error, task, source, host);
      if (error instanceof SessionFailed) return this.#notGreeted(error, host);
      throw error;
    }
  }

  async #open(task: Wanting, source: Source, host: string): Promise<Session> {
    const { tunnels, clock, policy } = this.#parts;
    const epochs = this.#parts.epochs();
    const broken = this.#hosts.hasBrokenTls(host);
    const tls: SessionOptions['tls'] = broken && policy().tls === 'Opportunistic' ? 'Broken' : policy().tls;
    const domain = domainToASCII(task.domain) || task.domain;
    const { holder } = source.lease;
    const { account, want: recipients } = task;
    const ask = { holder, source: source.address, host, domain, epochs, account, recipients };
    const grant = await tunnels.open(ask).catch((error: unknown) => {
      if (error instanceof TunnelRefused && error.reason === 'StaleEpoch') this.#patience.isStale(epochs);
      throw error;
    });
    this.#patience.granted();
    this.#rooms.granted(source.address, grant.provider || task.provider, grant.warmup);
    this.#greeting.add(grant.socket);
    try {
      const reports = this.#outcomes.of(holder, grant.id);
      const options = { host, source: source.address, tls, monotonic: clock.monotonic, reports };
      const session = await Session.open(grant, options);
      this.pool.add(session);
      return session;
    } catch (error) {
      if (
        !(error instanceof SessionFailed) ||
        error.phase !== 'tls' ||
        tls !== 'Opportunistic' ||
        this.#stopping
      )
        throw error;
      this.#hosts.tlsIsBroken(host);
      this.#parts.log.info(
        { host, err: error },
        'TLS is broken at the host: it is greeted without for an hour',
      );
    } finally {
      this.#greeting.delete(grant.socket);
    }
    return this.#open(task, source, host);
  }

  #notGreeted(error: SessionFailed, host: string): Try {
    this.#hosts.avoid(host);
    const verdict: Verdict = error.reply
      ? { kind: 'reply', reply: error.reply, phase: error.phase }
      : { kind: 'failed', why: `${error.status} ${host}: ${error.message}` };
    return { kind: 'nextHost', verdict };
  }

  #refused(error: TunnelRefused, task: Wanting, source: Source, host: string): Try {
    const seconds = error.retryAfterSeconds;
    switch (error.reason) {
      // An egress pod that holds another address may have a part of the IPPool's cap left.
      case 'ConnectionLimit':
      case 'PoolConnectionLimit':
        return nextSource(wait(this.#makeRoom(task, source, seconds), FULL[error.reason]));
      case 'RateLimit':
      case 'PoolRateLimit':
        return nextSource(wait(this.#isFull(task, source, seconds), FULL[error.reason]));
      case 'WarmupExhausted':
      case 'WarmupSuspended':
        if (error.warmup)
          this.#rooms.refused(
            source.address,
            task.provider,
            error.reason === 'WarmupSuspended',
            error.warmup,
          );
        return nextSource(this.#untilTomorrow(seconds ?? WAIT.warmup));
      case 'WarmupBusy':
      case 'WarmupUnavailable':
        return nextSource(wait(this.#makeRoom(task, source, seconds), `warm-up: ${error.reason}`));
      case 'NoSuchHost':
        this.#families.lacks(host, source.address);
        return { kind: 'nextFamily', verdict: { kind: 'failed', why: `4.4.1 ${host}: ${error.reason}` } };
      case 'StaleEpoch':
        // Under other epochs, which may have come in meanwhile, it can be asked at once.
        return nextSource(wait(Math.max(0.1, this.#patience.staleFor(this.#parts.epochs())), STALE));
      case 'ResolveFailed':
      case 'ConnectFailed':
      case 'ConnectTimeout':
      case 'ForbiddenDestination':
        this.#hosts.avoid(host);
        return { kind: 'nextHost', verdict: { kind: 'failed', why: `4.4.1 ${host}: ${error.reason}` } };
      default:
        this.#parts.log.warn({ reason: error.reason, err: error.cause, host }, 'egress did not connect');
        return nextSource(wait(seconds ?? WAIT.holder, error.message));
    }
  }

  /**
   * An idle connection of ours to another site of the provider may hold the slot: one is ended. Returns when to ask again; until then
   * nobody asks for this address and provider, for each refusal costs a handshake.
   */
  #makeRoom(task: Wanting, source: Source, seconds: number | null): number {
    const isFreed = this.pool.endOneIdle(source.address, task.provider);
    return this.#isFull(task, source, isFreed ? WAIT.freed : seconds);
  }

  #isFull(task: Task, source: Source, seconds: number | null): number {
    return this.#patience.isFull(source.address, task.provider, seconds ?? WAIT.limit);
  }
}
