// The idle sessions, by site and source address, and every open one, so that a shutdown can end them.
import type { Policy } from './ports.ts';
import type { Session } from './session.ts';

const IDLE_MS = 5000;

export class SessionPool {
  readonly #idle = new Map<string, Session[]>();
  readonly #open = new Set<Session>();
  readonly #monotonic: () => number;
  #sweeper: NodeJS.Timeout | null = null;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** Sessions by provider and source address: for the gauge. */
  *open(): IterableIterator<Session> {
    yield* this.#open;
  }

  add(session: Session): void {
    this.#open.add(session);
  }

  /**
   * An idle session from `source` to the site that may carry so many recipients; the most recently used first. One that the policy
   * of this moment would not open is ended.
   */
  take(
    site: string,
    source: string,
    recipients: number,
    tls: Policy['tls'] = 'Opportunistic',
  ): Session | null {
    const idle = this.#idle.get(`${site} ${source}`);
    for (let session = idle?.pop(); session; session = idle?.pop()) {
      const allowed = tls === 'Opportunistic' || session.encrypted === (tls === 'Required');
      if (allowed && session.fits(recipients)) return session;
      this.discard(session);
    }
    return null;
  }

  /** Gives a session back after a transaction: to wait for the next one, or to end. */
  giveBack(site: string, session: Session): void {
    if (!session.fits(1)) {
      this.discard(session);
      return;
    }
    const key = `${site} ${session.source}`;
    const idle = this.#idle.get(key);
    session.idleSince = this.#monotonic();
    if (idle) idle.push(session);
    else this.#idle.set(key, [session]);
    this.#sweeper ??= setInterval(() => this.#sweep(), 1000);
    this.#sweeper.unref();
  }

  discard(session: Session): void {
    this.#open.delete(session);
    session.quit();
  }

  /** Ends every idle session. */
  endIdle(): void {
    for (const sessions of this.#idle.values()) for (const session of sessions) this.discard(session);
    this.#idle.clear();
  }

  /** Ends one idle session from the address to the provider, if there is one. */
  endOneIdle(source: string, provider: string): boolean {
    for (const sessions of this.#idle.values()) {
      const at = sessions.findIndex((one) => one.source === source && one.provider === provider);
      const [session] = at < 0 ? [] : sessions.splice(at, 1);
      if (!session) continue;
      this.discard(session);
      return true;
    }
    return false;
  }

  /** Ends what is idle or before its final dot; what is past it goes on. */
  abort(): void {
    this.endIdle();
    for (const session of this.#open) session.abort();
    if (this.#sweeper) clearInterval(this.#sweeper);
    this.#sweeper = null;
  }

  #sweep(): void {
    const before = this.#monotonic() - IDLE_MS;
    for (const [key, sessions] of this.#idle) {
      const kept = sessions.filter((session) => session.idleSince > before && session.fits(1));
      for (const session of sessions) if (!kept.includes(session)) this.discard(session);
      if (kept.length) this.#idle.set(key, kept);
      else this.#idle.delete(key);
    }
    if (this.#idle.size > 0 || !this.#sweeper) return;
    clearInterval(this.#sweeper);
    this.#sweeper = null;
  }
}
