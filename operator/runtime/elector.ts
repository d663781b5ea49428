// Leader election by a Lease (coordination.k8s.io), as client-go's: leases last 15 s, are renewed every 2 s, and a leader that
// could not renew for 10 s stops acting, well before anyone else may begin. How old another's lease is, is measured by this
// process's monotonic clock from when it last saw it change: clocks of nodes need not agree.
import { type Log, log as rootLog } from '../../process/log.ts';
import { type Clock, type Random, sleep, systemClock } from './clock.ts';
import { ApiError } from './errors.ts';
import { type LeaseSpec, microTime, released, renewed, takenOver } from './lease.ts';
import { leadership } from './metrics.ts';
import { type KubeObject, TYPES } from './objects.ts';
import type { KubeApi } from './transport.ts';

export interface ElectorOptions {
  /** Not one that is fenced by this elector. */
  readonly api: KubeApi;
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  /** Of this process: the pod's name and UID. */
  readonly identity: string;
  readonly leaseSeconds?: number;
  readonly renewDeadlineSeconds?: number;
  readonly retrySeconds?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  /** Called at each gain and loss of leadership, once each. */
  readonly onChange?: (leading: boolean) => void;
}

export interface Lease extends KubeObject {
  readonly spec?: LeaseSpec;
}

export class Elector {
  readonly #options: Required<Omit<ElectorOptions, 'log' | 'onChange'>> & Pick<ElectorOptions, 'onChange'>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;
  /** The Lease as last seen, and when it was first seen so. */
  #seen: { readonly lease: Lease; readonly at: number } | null = null;
  /** When the last successful renewal was sent; null: not the leader. */
  #renewedAt: number | null = null;
  #announced = false;
  #leaderlessSince: number;
  #cancelDeadline: () => void = () => {};

  constructor(options: ElectorOptions) {
    const { leaseSeconds = 15, renewDeadlineSeconds = 10, retrySeconds = 2 } = options;
    if (!(leaseSeconds > renewDeadlineSeconds && renewDeadlineSeconds > retrySeconds * 1.2))
      throw new RangeError('a lease must outlast its renewal deadline, and that several attempts');
    const { clock = systemClock, random = Math.random } = options;
    // A renewal that hangs must leave time for another before the deadline.
    const api = options.api.with({ attempts: 1, timeoutMs: renewDeadlineSeconds * 400 });
    this.#options = { ...options, api, leaseSeconds, renewDeadlineSeconds, retrySeconds, clock, random };
    this.#clock = clock;
    this.#log = (options.log ?? rootLog).child({ lease: options.name });
    this.#leaderlessSince = clock.monotonic();
    leadership.set({ name: options.name }, 0);
  }

  /** Whether this process may act now. Goes by time: false as soon as the renewal deadline has passed. */
  get isLeader(): boolean {
    if (this.#renewedAt === null) return false;
    return this.#clock.monotonic() - this.#renewedAt < this.#options.renewDeadlineSeconds * 1000;
  }

  /** Who leads as far as this process knows, itself included; null: nobody. */
  get leader(): string | null {
    if (this.isLeader) return this.#options.identity;
    const holder = this.#seen?.lease.spec?.holderIdentity;
    return holder && !this.#seenIsOver() ? holder : null;
  }

  /** Seconds for which nobody has led, as far as this process knows. */
  get leaderlessSeconds(): number {
    if (this.leader !== null) this.#leaderlessSince = this.#clock.monotonic();
    return (this.#clock.monotonic() - this.#leaderlessSince) / 1000;
  }

  /** @throws when started before */
  start(): void {
    if (this.#running) throw new Error('the elector was already started');
    this.#running = this.#run();
  }

  /** Stops electing and gives the lease up, so that another leads at once. Call it after all acting has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (!this.isLeader || !this.#seen) return this.#lose();
    const { lease } = this.#seen;
    this.#lose();
    const spec = released(lease.spec ?? {}, this.#clock.now());
    await this.#options.api.update(TYPES.leases, { ...lease, spec }).catch((error: unknown) => {
      this.#log.warn({ err: error }, 'could not release the lease; it ends by itself');
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#attempt().catch((error: unknown) => {
        if (!ApiError.isConflict(error) && !ApiError.isAlreadyExists(error))
          this.#log.warn({ err: error }, 'could not renew or acquire the lease');
      });
      const { retrySeconds, random } = this.#options;
      await sleep(this.#clock, retrySeconds * 1000 * (1 + 0.2 * random()), signal);
    }
  }

  /** One look at the lease, and one write if it is ours or free. */
  async #attempt(): Promise<void> {
    const { api, namespace, name, identity, leaseSeconds } = this.#options;
    const lease = await this.#observe();
    const started = this.#clock.monotonic();
    const now = this.#clock.now();
    if (!lease) {
      const metadata = { namespace, name };
      const spec = takenOver({}, identity, leaseSeconds, now);
      const made: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
      return this.#hold(await api.create(TYPES.leases, made), started);
    }
    const mine = lease.spec?.holderIdentity === identity;
    if (!mine && lease.spec?.holderIdentity && !this.#seenIsOver()) return this.#lose();
    // Our own lease after a lapse: others may have acted in between, so it counts as a new term.
    const current = lease.spec ?? {};
    const spec =
      mine && this.isLeader ? renewed(current, now) : takenOver(current, identity, leaseSeconds, now);
    this.#hold(await api.update(TYPES.leases, { ...lease, spec }), started);
  }

  async #observe(): Promise<Lease | null> {
    const { api, namespace, name } = this.#options;
    const lease = await api.get<Lease>(TYPES.leases, { namespace, name }).catch((error: unknown) => {
      if (ApiError.isNotFound(error)) return null;
      throw error;
    });
    if (lease) this.#see(lease);
    return lease;
  }

  #see(lease: Lease): void {
    const changed = this.#seen?.lease.metadata.resourceVersion !== lease.metadata.resourceVersion;
    this.#seen = { lease, at: changed ? this.#clock.monotonic() : (this.#seen?.at ?? 0) };
  }

  #seenIsOver(): boolean {
    if (!this.#seen) return true;
    const seconds = this.#seen.lease.spec?.leaseDurationSeconds ?? this.#options.leaseSeconds;
    return this.#clock.monotonic() - this.#seen.at > seconds * 1000;
  }

  /** `since`: when the request was sent, not answered: others count from when it took effect at the latest. */
  #hold(lease: Lease, since: number): void {
    this.#see(lease);
    const left = since + this.#options.renewDeadlineSeconds * 1000 - this.#clock.monotonic();
    if (left <= 0) return; // the answer came too late to act on; the next attempt begins a new term
    this.#renewedAt = since;
    this.#cancelDeadline();
    this.#cancelDeadline = this.#clock.after(left, () => this.#lose());
    if (!this.#stop.signal.aborted) this.#announce(true);
  }

  #lose(): void {
    this.#cancelDeadline();
    this.#renewedAt = null;
    this.#announce(false);
  }

  #announce(leading: boolean): void {
    if (this.#announced === leading) return;
    this.#announced = leading;
    leadership.set({ name: this.#options.name }, leading ? 1 : 0);
    this.#log.info(
      { leading, since: microTime(this.#clock.now()) },
      leading ? 'leading' : 'no longer leading',
    );
    this.#options.onChange?.(leading);
  }
}
