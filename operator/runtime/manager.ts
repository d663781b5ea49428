// Starts and stops the parts in the one right order: watches, then election; controllers only while leading. A lost lease
// stops the controllers and keeps the caches warm for the next term.
import type { Readiness } from '../../process/health.ts';
import { type Log, log as rootLog } from '../../process/log.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Controller } from './controller.ts';
import type { Elector, ElectorOptions } from './elector.ts';
import type { KubeObject } from './objects.ts';
import type { Reflector } from './reflector.ts';

type Watch = Pick<
  Reflector<KubeObject>,
  'name' | 'start' | 'stop' | 'synced' | 'whenSynced' | 'lastEventAgeSeconds'
>;

export interface ManagerOptions {
  readonly reflectors: readonly Watch[];
  readonly controllers: readonly Pick<Controller, 'name' | 'start' | 'stop'>[];
  /** Makes the elector with the manager's own `onChange`; absent: this process is the only one. */
  readonly elector?: (onChange: NonNullable<ElectorOptions['onChange']>) => Elector;
  readonly readiness: Readiness;
  /** Done after the controllers have stopped and before the lease is released. */
  readonly onStop?: () => Promise<void>;
  readonly clock?: Clock;
  readonly log?: Log;
  /** A watch that was silent for so long is an obstacle: three missed bookmarks. */
  readonly staleSeconds?: number;
  readonly leaderlessSeconds?: number;
}

const CHECK_MS = 5_000;

export class Manager {
  readonly #options: ManagerOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #elector: Elector | null;
  #changing: Promise<void> = Promise.resolve();
  #leading = false;
  #active = false;
  #stopped = false;
  #cancelCheck: () => void = () => {};

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = (options.log ?? rootLog).child({ part: 'manager' });
    this.#elector = options.elector?.((leading) => this.#lead(leading)) ?? null;
    for (const { name } of options.reflectors) options.readiness.set(`watch ${name}`, 'not synced');
  }

  /** Whether this process may act now; without election always. */
  get isLeader(): boolean {
    return this.#elector?.isLeader ?? true;
  }

  /** Starts the watches, then stands for election. Resolves when all caches are filled. */
  async start(): Promise<void> {
    for (const reflector of this.#options.reflectors) reflector.start();
    this.#check();
    await Promise.all(this.#options.reflectors.map((reflector) => reflector.whenSynced()));
    if (this.#stopped) return;
    this.#report();
    if (this.#elector) this.#elector.start();
    else this.#lead(true);
  }

  /** Waits for the reconciles that run, then releases the lease, then ends the watches. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelCheck();
    this.#lead(false);
    await this.#changing;
    await this.#options.onStop?.();
    await this.#elector?.stop();
    await Promise.all(this.#options.reflectors.map((reflector) => reflector.stop()));
  }

  #lead(leading: boolean): void {
    this.#leading = leading && !this.#stopped;
    this.#changing = this.#changing
      .then(() => this.#follow())
      .catch((error: unknown) => this.#log.error({ err: error }, 'could not start or stop the controllers'));
  }

  /** Brings the controllers to what leadership is now: it may have come and gone while the last ones were stopping. */
  async #follow(): Promise<void> {
    if (this.#leading === this.#active) return;
    this.#active = this.#leading;
    if (this.#active) for (const controller of this.#options.controllers) controller.start();
    else await Promise.all(this.#options.controllers.map((controller) => controller.stop()));
  }

  #check(): void {
    this.#report();
    this.#cancelCheck = this.#clock.after(CHECK_MS, () => this.#check());
  }

  #report(): void {
    const { readiness, reflectors, staleSeconds = 180, leaderlessSeconds = 60 } = this.#options;
    for (const reflector of reflectors)
      readiness.set(`watch ${reflector.name}`, obstacle(reflector, staleSeconds));
    const alone = this.#elector?.leaderlessSeconds ?? 0;
    readiness.set('election', alone > leaderlessSeconds ? `nobody has led for ${Math.round(alone)} s` : null);
  }
}

function obstacle({ synced, lastEventAgeSeconds }: Watch, staleSeconds: number): string | null {
  if (!synced) return 'not synced';
  return lastEventAgeSeconds > staleSeconds ? `silent for ${Math.round(lastEventAgeSeconds)} s` : null;
}
