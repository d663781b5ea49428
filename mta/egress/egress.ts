// The room's centre: from a CONNECT to a joined pair of sockets, and fences. What it may do is decided in decide.ts and slots.ts.
import type { Duplex } from 'node:stream';
import type { Identity } from '../../process/identity/name.ts';
import type { Log } from '../../process/log.ts';
import { AFTER_GRANT_MS } from '../bus/connect.ts';
import { poolKey } from '../bus/names.ts';
import type { Lingering } from '../bus/snapshot.ts';
import { type Connection, Connections, type Owner } from './connections.ts';
import { decideConnect, type Grant, type Picture } from './decide.ts';
import { type DialOptions, dial } from './dial.ts';
import { EpochBook } from './epochs.ts';
import type { DialOutcome } from './fitness.ts';
import { Fleet } from './fleet.ts';
import * as metrics from './metrics.ts';
import { Refused } from './refusal.ts';
import type { ConnectRequest } from './request.ts';
import { Slots } from './slots.ts';
import { join, type TunnelLimits } from './tunnel.ts';

export interface EgressOptions {
  /** namespace/name */
  readonly ipPool: string;
  readonly holds: Picture['holds'];
  readonly destination: Picture['destination'];
  readonly resolve: DialOptions['resolve'];
  readonly connectTimeoutMs: number;
  readonly idleMs: TunnelLimits['idleMs'];
  readonly halfClosedMs: TunnelLimits['halfClosedMs'];
  /** Told how each connection that was granted fared. */
  readonly onDial: (address: string, outcome: DialOutcome, host: string) => void;
  /** Monotonic ms. */
  readonly now: () => number;
  readonly log: Log;
}

/** A granted and established connection, ready to be joined. */
export interface Established {
  readonly grant: Grant;
  /** The remote address connected to. */
  readonly peer: string;
  /** Joins it with the caller's socket; resolves when both are gone. */
  join(client: Duplex): Promise<void>;
}

export class Egress {
  readonly fleet: Fleet;
  readonly epochs = new EpochBook();
  readonly slots = new Slots();
  readonly connections: Connections;
  readonly #options: EgressOptions;

  readonly #connected = new Map<string, number>();
  /** What former holders of an address still have open, by slot, as it is counted here. */
  readonly #inherited = new Map<string, Map<string, number>>();

  constructor(options: EgressOptions) {
    this.#options = options;
    this.fleet = new Fleet(options.ipPool);
    this.connections = new Connections((owner) => this.#freed(owner));
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
    const { grant, connection } = this.#grant(request, caller);
    const { bind, provider } = grant;
    const done = metrics.connectSeconds.startTimer({ provider });
    try {
      const remote = await dial(
        { host: request.host, port: request.port, bind },
        { ...this.#options, signal: AbortSignal.any([connection.signal, gone]) },
      );
      done();
      this.#connected.set(request.source, this.connected(request.source) + 1);
      this.#options.onDial(request.source, 'connected', request.host);
      return {
        grant,
        peer: remote.remoteAddress ?? '',
        join: async (client) => {
          await join(client, remote, this.#limits(grant), connection.signal).finally(connection.ended);
          metrics.bytes.inc({ direction: 'out' }, remote.bytesWritten);
          metrics.bytes.inc({ direction: 'in' }, remote.bytesRead);
        },
      };
    } catch (error) {
      connection.ended();
      const outcome = error instanceof Refused && !gone.aborted ? outcomeOf(error) : null;
      if (outcome) this.#options.onDial(request.source, outcome, request.host);
      throw error instanceof Refused ? this.#refused(error, request, provider) : error;
    }
  }

  /** Connections established from the address so far. */
  connected(address: string): number {
    return this.#connected.get(address) ?? 0;
  }

  /** Counts what holders of the address before have open, so that together no more are than the limit says. */
  inherit(address: string, lingering: readonly Lingering[]): void {
    const now = new Map<string, number>();
    for (const { open } of lingering)
      for (const [provider, count] of Object.entries(open)) {
        const key = slotKey({ address, provider });
        now.set(key, (now.get(key) ?? 0) + count);
      }
    const before = this.#inherited.get(address) ?? new Map<string, number>();
    for (const key of new Set([...before.keys(), ...now.keys()]))
      this.slots.occupy(key, (now.get(key) ?? 0) - (before.get(key) ?? 0));
    this.#inherited.set(address, now);
  }

  #limits(grant: Grant): TunnelLimits {
    const { idleMs, halfClosedMs } = this.#options;
    return { idleMs, halfClosedMs, lifetimeMs: grant.seconds * 1000 + AFTER_GRANT_MS };
  }

  /** Decision and slot in one go: nothing may come between the look at the counter and its rise. */
  #grant(request: ConnectRequest, caller: Identity | null): { grant: Grant; connection: Connection } {
    const { ipPool, pools } = this.fleet;
    const verdict = decideConnect(request, caller, { ...this.#options, ipPool, pools, epochs: this.epochs });
    if (verdict.verdict === 'refused')
      throw this.#refused(new Refused(verdict.reason, verdict.message), request, '');
    const { pool, uid, provider } = verdict;
    this.epochs.learn(pool, request.epochs);
    const owner: Owner = { pool, uid, address: request.source, provider };
    const slot = this.slots.take(slotKey(owner), uid, verdict.limit, this.#options.now());
    if (!slot.taken) {
      const message = `${slot.open} of ${verdict.limit} connections from ${request.source} to ${provider} are open`;
      throw this.#refused(new Refused('ConnectionLimit', message, slot), request, provider);
    }
    metrics.connectionsOpen.inc({ address: owner.address, provider: owner.provider });
    metrics.grants.inc({ address: owner.address, provider: owner.provider });
    return { grant: verdict, connection: this.connections.open(owner) };
  }

  #freed(owner: Owner): void {
    this.slots.release(slotKey(owner));
    metrics.connectionsOpen.dec({ address: owner.address, provider: owner.provider });
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

/** Null: it says nothing of the address. Many connections to one host can use up the ports of an address that is well. */
function outcomeOf({ reason, cause }: Refused): DialOutcome | null {
  const portsUsedUp = (cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE';
  if (reason === 'SourceFailed' && !portsUsedUp) return 'unbound';
  return reason === 'ConnectFailed' || reason === 'ConnectTimeout' ? 'failed' : null;
}

const slotKey = ({ address, provider }: Pick<Owner, 'address' | 'provider'>): string =>
  `${address} ${provider}`;
