// The room's centre: from a CONNECT to a joined pair of sockets, and fences. What it may do is decided in decide.ts and limits/.
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Identity } from '../../process/identity/name.ts';
import type { Log } from '../../process/log.ts';
import { AFTER_GRANT_MS, type OutcomeReport, type WarmupDay } from '../bus/connect.ts';
import { poolKey } from '../bus/names.ts';
import { type Connection, Connections, type Owner } from './connections.ts';
import { decideConnect, type Grant, type Picture } from './decide.ts';
import { type DialOptions, dial } from './dial.ts';
import { EpochBook } from './epochs.ts';
import type { DialOutcome } from './fitness.ts';
import { Fleet } from './fleet.ts';
import type { GrantHandle } from './limits/grants.ts';
import type { Asked, Limiter } from './limits/limiter.ts';
import * as metrics from './metrics.ts';
import { Names } from './names.ts';
import { Refused } from './refusal.ts';
import type { ConnectRequest } from './request.ts';
import { join, type TunnelLimits } from './tunnel.ts';

export interface EgressOptions {
  /** namespace/name */
  readonly ipPool: string;
  readonly holds: Picture['holds'];
  /** The epoch an address is held under. */
  readonly epochOf: (address: string) => number | null;
  /** Whether a connection granted under the epoch may still carry anything, asked at each piece. */
  readonly mayCarry: (address: string, epoch: number) => boolean;
  readonly limiter: Limiter;
  /** ms since the epoch, as the limiter has it. */
  readonly wallNow: () => number;
  /** What warm-up leaves of the day; null: it sets no limit. */
  readonly warmupDay: (address: string, provider: string) => WarmupDay | null;
  /** Told when a policy has changed how a destination is called: what is known under the new name may be old. */
  readonly renamed: (provider: string) => void;
  readonly destination: Picture['destination'];
  readonly resolve: DialOptions['resolve'];
  readonly connectTimeoutMs: number;
  readonly idleMs: TunnelLimits['idleMs'];
  readonly halfClosedMs: TunnelLimits['halfClosedMs'];
  /** Told how each connection that was granted fared. */
  readonly onDial: (address: string, outcome: DialOutcome, host: string) => void;
  readonly log: Log;
}

/** A granted connection, before it is established. */
interface Granted extends Pick<Established, 'grant' | 'recipients' | 'epoch' | 'warmup'> {
  /** No transaction may start from then on, ms since the epoch; null: only its own length bounds it. */
  readonly until: number | null;
  readonly handle: GrantHandle;
  readonly connection: Connection;
}

/** A granted and established connection, ready to be joined. */
export interface Established {
  readonly grant: Grant;
  /** How many it may carry. */
  readonly recipients: number;
  /** For how long it may start transactions. */
  readonly seconds: number;
  /** Names the grant in reports. */
  readonly id: string;
  readonly epoch: number;
  /** What warm-up leaves of the day beside this grant; null: it sets no limit. */
  readonly warmup: WarmupDay | null;
  /** The remote address connected to. */
  readonly peer: string;
  /** Joins it with the caller's socket; resolves when both are gone. */
  join(client: Duplex): Promise<void>;
}

export class Egress {
  readonly fleet: Fleet;
  readonly epochs = new EpochBook();
  readonly connections = new Connections();
  readonly names = new Names();
  readonly #options: EgressOptions;

  readonly #connected = new Map<string, number>();

  constructor(options: EgressOptions) {
    this.#options = options;
    this.fleet = new Fleet(options.ipPool);
  }

  /** Takes in a key of the fleet snapshot. */
  apply(key: string, value: unknown): void {
    const assigned = this.fleet.apply(key, value);
    if (!assigned) return;
    for (const uid of this.epochs.learnAssignment(assigned.pool, assigned.assignment))
      void this.#fence(uid, 'its shards were given to another pod');
  }

  /**
   * Grants and connects. `gone` aborts when the caller has left.
   * @throws Refused; the slot is free again then.
   */
  async connect(request: ConnectRequest, caller: Identity | null, gone: AbortSignal): Promise<Established> {
    const { connection, handle, ...granted } = await this.#grant(request, caller, gone);
    const { bind, provider } = granted.grant;
    const done = metrics.connectSeconds.startTimer({ provider });
    const left = () => connection.abort('the caller left');
    gone.addEventListener('abort', left, { once: true });
    if (gone.aborted) left();
    try {
      const target = { host: request.host, port: request.port, bind };
      const remote = await dial(target, { ...this.#options, signal: connection.signal });
      done();
      handle.dialled('connected');
      this.#connected.set(request.source, this.connected(request.source) + 1);
      this.#options.onDial(request.source, 'connected', request.host);
      // The dial has taken its part of what bounds the grant.
      const seconds = secondsOf(granted.grant, granted.until, this.#options.wallNow());
      return {
        ...granted,
        seconds,
        id: handle.id,
        peer: remote.remoteAddress ?? '',
        join: (client) =>
          carry(client, remote, this.#tunnel(request.source, seconds, granted.epoch, handle), connection),
      };
    } catch (error) {
      handle.dialled(error instanceof Refused && NOT_SENT.has(error.reason) ? 'none' : 'failed');
      connection.ended();
      const outcome = error instanceof Refused && !gone.aborted ? outcomeOf(error) : null;
      if (outcome) this.#options.onDial(request.source, outcome, request.host);
      throw error instanceof Refused ? this.#refused(error, request, provider) : error;
    } finally {
      gone.removeEventListener('abort', left);
    }
  }

  /** Connections established from the address so far. */
  connected(address: string): number {
    return this.#connected.get(address) ?? 0;
  }

  #tunnel(address: string, seconds: number, epoch: number, handle: GrantHandle): TunnelLimits {
    const { idleMs, halfClosedMs, mayCarry } = this.#options;
    const lifetimeMs = seconds * 1000 + AFTER_GRANT_MS;
    return {
      idleMs,
      halfClosedMs,
      lifetimeMs,
      mayCarry: () => mayCarry(address, epoch) && handle.mayCarry(),
    };
  }

  /** A decision that had to wait for a record is made anew, on what is known then. */
  async #grant(request: ConnectRequest, caller: Identity | null, gone: AbortSignal): Promise<Granted> {
    for (let round = 0; round < MOST_ROUNDS && !gone.aborted; round++) {
      const asked = this.#ask(request, caller);
      if ('connection' in asked) return asked;
      await asked.until;
    }
    const message = 'the limits cannot be read or reserved';
    throw this.#refused(new Refused('RateLimit', message, { retryMs: BUSY_RETRY_MS }), request, '');
  }

  /** Decision and counting in one go: nothing may come between the look at the counters and their rise. */
  #ask(request: ConnectRequest, caller: Identity | null): Granted | Extract<Asked, { verdict: 'wait' }> {
    const { ipPool, pools } = this.fleet;
    const { limiter, epochOf, warmupDay } = this.#options;
    const grant = decideConnect(request, caller, { ...this.#options, ipPool, pools, epochs: this.epochs });
    const { source: address, account, recipients: want } = request;
    const epoch = epochOf(address);
    if (grant.verdict === 'refused' || epoch === null) {
      const { reason, message } =
        grant.verdict === 'refused' ? grant : { reason: 'NotHolder' as const, message: 'not held' };
      throw this.#refused(new Refused(reason, message), request, '');
    }
    const { pool, uid, provider, limits } = grant;
    this.epochs.learn(pool, request.epochs);
    if (this.names.note(grant.unnamed, provider)) this.#options.renamed(provider);
    const owner: Owner = { pool, uid, address, provider };
    const tell = { done: () => {}, ended: () => {} };
    const told = { onDone: () => tell.done(), onEnd: () => tell.ended() };
    const asked = limiter.ask({ pod: uid, account, address, provider, want, limits, epoch, ...told });
    if (asked.verdict === 'wait') return asked;
    if (asked.verdict === 'refused')
      throw this.#refused(
        new Refused(asked.reason, asked.message, { ...asked, warmup: warmupDay(address, provider) }),
        request,
        provider,
      );
    const { handle, recipients } = asked;
    metrics.connectionsOpen.inc({ address, provider });
    metrics.grants.inc({ address, provider });
    const connection = this.connections.open(owner, () => {
      handle.closed();
      metrics.connectionsOpen.dec({ address, provider });
    });
    tell.done = () => void setTimeout(connection.abort, DONE_MS, 'its caller was done with it').unref();
    tell.ended = () => connection.abort('the loan it was granted under has ended');
    const warmup = warmupDay(address, provider);
    return { grant, recipients, until: asked.until, epoch, warmup, handle, connection };
  }

  /** Takes in what a delivery pod says of its grants. @throws Refused ForbiddenCaller */
  reported(caller: Identity | null, reports: readonly OutcomeReport[]): void {
    if (caller?.role !== 'delivery') throw new Refused('ForbiddenCaller', 'the caller is no delivery pod');
    this.#options.limiter.grants.report(caller.uid, reports);
  }

  #refused(refused: Refused, { source, domain, host }: ConnectRequest, provider: string): Refused {
    // A label only for addresses of the pool: callers do not choose how many time series there are.
    const address = this.fleet.ipPool?.addresses.some((one) => one.address === source) ? source : '';
    metrics.refusals.inc({ reason: refused.reason, provider, address });
    this.#options.log.debug(
      { reason: refused.reason, why: refused.message, source, domain, host },
      'refused',
    );
    return refused;
  }

  /**
   * Fences `uid` in the name of `caller`, the new owner of the shard. Resolves with the number of connections closed.
   * @throws Refused ForbiddenCaller, StaleEpoch or BadRequest.
   */
  async fenceFor(
    caller: Identity | null,
    { pool, shard, epoch, uid }: { pool: string; shard: number; epoch: number; uid: string },
  ): Promise<number> {
    if (caller?.role !== 'delivery' || pool !== `${caller.namespace}/${caller.pool}`)
      throw new Refused('ForbiddenCaller', `only a delivery pod of ${pool} may fence one of it`);
    const key = poolKey(pool);
    if (this.epochs.isFenced(caller.uid)) throw new Refused('StaleEpoch', 'the caller is fenced itself');
    if (uid === caller.uid) throw new Refused('BadRequest', 'a pod does not fence itself');
    const stale = this.epochs.stale(key, new Map([[shard, epoch]]));
    if (stale) throw new Refused('StaleEpoch', `shard ${shard} is at epoch ${stale.known}, not ${epoch}`);
    this.epochs.learn(key, [[shard, epoch]]);
    return this.#fence(uid, `shard ${shard} went to ${caller.pod} at epoch ${epoch}`);
  }

  async #fence(uid: string, why: string): Promise<number> {
    if (!this.epochs.isFenced(uid)) metrics.fences.inc();
    this.epochs.fence(uid);
    const closed = await this.connections.close((owner) => owner.uid === uid, `fenced: ${why}`);
    this.#options.log.info({ uid, why, closed }, 'fenced');
    return closed;
  }
}

/** Keeps nothing of how the connection came about: there may be thousands. */
async function carry(
  client: Duplex,
  remote: Socket,
  limits: TunnelLimits,
  { signal, ended }: Connection,
): Promise<void> {
  await join(client, remote, limits, signal).finally(ended);
  metrics.bytes.inc({ direction: 'out' }, remote.bytesWritten);
  metrics.bytes.inc({ direction: 'in' }, remote.bytesRead);
}

/** Null: it says nothing of the address. Many connections to one host can use up the ports of an address that is well. */
function outcomeOf({ reason, cause }: Refused): DialOutcome | null {
  const portsUsedUp = (cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE';
  if (reason === 'SourceFailed' && !portsUsedUp) return 'unbound';
  return reason === 'ConnectFailed' || reason === 'ConnectTimeout' ? 'failed' : null;
}

/** The dial ended before a packet left. */
const NOT_SENT: ReadonlySet<string> = new Set([
  'ResolveFailed',
  'NoSuchHost',
  'ForbiddenDestination',
  'SourceFailed',
]);
/** Reading a record, two reservations, and one more of each when something came in between. */
const MOST_ROUNDS = 6;
const BUSY_RETRY_MS = 1000;
/** How long a connection may say goodbye when its caller has said that it carries nothing more. */
const DONE_MS = 5000;

/** A grant does not outlive what bounds it, such as the day of a warm-up; 0: that is over. */
function secondsOf({ seconds }: Grant, until: number | null, wallNow: number): number {
  return until === null ? seconds : Math.max(0, Math.min(seconds, Math.floor((until - wallNow) / 1000)));
}
