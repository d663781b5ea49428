// From a source address and a host to a session that has greeted, or to what is to be tried instead.
import { domainToASCII } from 'node:url';
import type { Outcomes } from './outcomes.ts';
import type { Task, Verdict } from './ports.ts';
import { type Known, Refusals } from './refusals.ts';
import type { SenderParts } from './sender.ts';
import { Session, type SessionOptions } from './session.ts';
import { SessionFailed } from './session-failed.ts';
import type { Source } from './sources.ts';
import { type Grant, TunnelRefused } from './tunnel.ts';
import type { Try } from './verdicts.ts';

/** How many recipients wait for the site, those of the task included. */
export interface Wanting extends Task {
  readonly want: number;
}

export class Opener {
  readonly #parts: SenderParts;
  readonly #known: Known;
  readonly #outcomes: Outcomes;
  readonly #isStopping: () => boolean;
  readonly #refusals: Refusals;
  /** Sockets on which the host has not greeted yet. */
  readonly #greeting = new Set<Grant['socket']>();

  constructor(parts: SenderParts, known: Known, outcomes: Outcomes, isStopping: () => boolean) {
    this.#parts = parts;
    this.#known = known;
    this.#outcomes = outcomes;
    this.#isStopping = isStopping;
    this.#refusals = new Refusals(known, parts.epochs, parts.log);
  }

  /** Ends what has not been greeted. */
  dropUngreeted(): void {
    for (const socket of this.#greeting) socket.destroy();
  }

  /** Asks egress for a connection from `source` to `host` and greets; or says what is to be tried instead. */
  async open(task: Wanting, source: Source, host: string): Promise<Session | Try> {
    try {
      const session = await this.#open(task, source, host);
      this.#known.hosts.reached(host);
      if (!this.#isStopping()) return session;
      session.close();
      return { kind: 'nextHost', verdict: { kind: 'aborted' } };
    } catch (error) {
      if (this.#isStopping()) return { kind: 'nextHost', verdict: { kind: 'aborted' } };
      if (error instanceof TunnelRefused) return this.#refusals.tryAfter(error, task, source, host);
      if (error instanceof SessionFailed) return this.#notGreeted(error, host);
      throw error;
    }
  }

  async #open(task: Wanting, source: Source, host: string): Promise<Session> {
    const { tunnels, clock, policy } = this.#parts;
    const epochs = this.#parts.epochs();
    const broken = this.#known.hosts.hasBrokenTls(host);
    const tls: SessionOptions['tls'] = broken && policy().tls === 'Opportunistic' ? 'Broken' : policy().tls;
    const domain = domainToASCII(task.domain) || task.domain;
    const { holder } = source.lease;
    const { account, want: recipients } = task;
    const ask = { holder, source: source.address, host, domain, epochs, account, recipients };
    const grant = await tunnels.open(ask).catch((error: unknown) => {
      if (error instanceof TunnelRefused && error.reason === 'StaleEpoch')
        this.#known.patience.isStale(epochs);
      throw error;
    });
    this.#known.patience.granted();
    this.#known.rooms.granted(source.address, grant.provider || task.provider, grant.warmup);
    this.#greeting.add(grant.socket);
    try {
      const reports = this.#outcomes.of(holder, grant.id);
      const options = { host, source: source.address, tls, monotonic: clock.monotonic, reports };
      const session = await Session.open(grant, options);
      this.#known.pool.add(session);
      return session;
    } catch (error) {
      if (
        !(error instanceof SessionFailed) ||
        error.phase !== 'tls' ||
        tls !== 'Opportunistic' ||
        this.#isStopping()
      )
        throw error;
      this.#known.hosts.tlsIsBroken(host);
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
    this.#known.hosts.avoid(host);
    const verdict: Verdict = error.reply
      ? { kind: 'reply', reply: error.reply, phase: error.phase }
      : { kind: 'failed', why: `${error.status} ${host}: ${error.message}` };
    return { kind: 'nextHost', verdict };
  }
}
