// Keeps this pod's certificate: has one made, reuses it after a container restart, renews it in time. A pod with a valid
// certificate goes on whatever becomes of the operator.
import type { Server } from 'node:tls';
import type { Readiness } from '../health.ts';
import { type Log, log as rootLog } from '../log.ts';
import { type Credentials, renewalTime, unusable, validityOf } from './credentials.ts';
import { type ExchangeSettings, obtainCredentials } from './exchange.ts';
import { readCredentials, writeCredentials } from './folder.ts';
import { clientTls, type Expected, serverTls } from './tls.ts';

/** The settings of `process/settings.ts` that matter here. */
export interface IdentitySettings {
  readonly POSTFLEET_POD_UID: string;
  readonly POSTFLEET_IDENTITY_DIR: string;
  /** Absent: the folder is used as it is. */
  readonly POSTFLEET_IDENTITY_URL?: string | undefined;
  readonly POSTFLEET_IDENTITY_TOKEN_FILE: string;
  readonly POSTFLEET_IDENTITY_CA_FILE: string;
}

export interface IdentityOptions {
  /** Gets the obstacle `identity` while there is no valid certificate. */
  readonly readiness?: Pick<Readiness, 'set'>;
  readonly onRenewed?: (credentials: Credentials) => void;
  readonly log?: Log;
  readonly now?: () => Date;
  readonly random?: () => number;
  /** Calls back after `ms` without keeping the process alive; returns how to cancel. */
  readonly after?: (ms: number, callback: () => void) => () => void;
  readonly obtain?: (settings: ExchangeSettings) => Promise<Credentials>;
}

/** The wall clock is looked at this often: it may jump, and timers sleep with the machine. */
const LOOK_MS = 60_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

/**
 * Resolves with this pod's identity as soon as it has one, which it then keeps renewed. Does not give up while the operator
 * refuses or is away.
 * @throws when there is no identity service and the folder holds no credentials
 */
export async function ensureIdentity(
  settings: IdentitySettings,
  options: IdentityOptions = {},
): Promise<PodIdentity> {
  const identity = new PodIdentity(settings, options);
  await identity.start();
  return identity;
}

export class PodIdentity {
  readonly #settings: IdentitySettings;
  readonly #options: Required<Omit<IdentityOptions, 'readiness' | 'onRenewed' | 'log'>> & IdentityOptions;
  readonly #log: Log;
  readonly #listeners = new Set<(credentials: Credentials) => void>();
  #current: Credentials | null = null;
  #renewAt: Date | null = null;
  #failures = 0;
  #stopped = false;
  #cancel: () => void = () => {};

  constructor(settings: IdentitySettings, options: IdentityOptions) {
    this.#settings = settings;
    this.#options = {
      now: () => new Date(),
      random: Math.random,
      after: unrefTimer,
      obtain: obtainCredentials,
      ...options,
    };
    this.#log = (options.log ?? rootLog).child({ part: 'identity' });
    if (options.onRenewed) this.#listeners.add(options.onRenewed);
  }

  /** @throws before the first certificate, which `ensureIdentity` has waited for */
  get credentials(): Credentials {
    if (!this.#current) throw new Error('there is no certificate yet');
    return this.#current;
  }

  /** Calls back with each renewed certificate; returns how to stop that. */
  onRenewed(listener: (credentials: Credentials) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  serverTls() {
    return serverTls(this.credentials);
  }

  clientTls(expected: Expected) {
    return clientTls(this.credentials, expected);
  }

  /** New connections to `server` see renewed certificates; open ones stay. */
  keepRenewed(server: Pick<Server, 'setSecureContext' | 'once'>): void {
    const forget = this.onRenewed(() => server.setSecureContext(this.serverTls()));
    server.once('close', forget);
  }

  /** Ends renewal. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async start(): Promise<void> {
    const {
      POSTFLEET_IDENTITY_DIR: folder,
      POSTFLEET_IDENTITY_URL: url,
      POSTFLEET_POD_UID: uid,
    } = this.#settings;
    this.#obstacle('no certificate yet');
    const found = await readCredentials(folder).catch((error: unknown) => {
      if (!url) throw error;
      return null;
    });
    if (!url && found) return this.#adopt(found);
    if (found && isUsable(found, uid, this.#options.now())) this.#adopt(found);
    while (!this.#current && !this.#stopped) await this.#tryFirst();
    this.#scheduleLook(0);
  }

  async #tryFirst(): Promise<void> {
    if (await this.#renew()) return;
    await new Promise<void>((resolve) => {
      this.#cancel = this.#options.after(this.#retryMs(), resolve);
    });
  }

  #scheduleLook(ms: number): void {
    if (this.#stopped) return;
    this.#cancel = this.#options.after(ms, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { now } = this.#options;
    const due = this.#renewAt !== null && now() >= this.#renewAt;
    const renewed = due ? await this.#renew() : true;
    const over = this.#current && now() >= validityOf(this.#current).notAfter;
    this.#obstacle(over ? 'the certificate has expired and could not be renewed' : null);
    this.#scheduleLook(renewed ? LOOK_MS : this.#retryMs());
  }

  /** Whether there is a new certificate; a failure is logged, and is the reason to come again. */
  async #renew(): Promise<boolean> {
    const { POSTFLEET_IDENTITY_URL: url = '', POSTFLEET_IDENTITY_DIR: folder } = this.#settings;
    const { POSTFLEET_IDENTITY_TOKEN_FILE: tokenFile, POSTFLEET_IDENTITY_CA_FILE: caFile } = this.#settings;
    try {
      const fresh = await this.#options.obtain({ url, tokenFile, caFile });
      const why = unusable(fresh, this.#settings.POSTFLEET_POD_UID, this.#options.now());
      if (why) throw new Error(why);
      await writeCredentials(folder, fresh);
      this.#adopt(fresh);
      this.#failures = 0;
      return true;
    } catch (error) {
      this.#failures += 1;
      this.#log.warn({ err: error, valid: this.#current !== null }, 'could not have a certificate made');
      return false;
    }
  }

  #adopt(credentials: Credentials): void {
    const renewal = this.#current !== null;
    this.#current = credentials;
    this.#renewAt = renewalTime(validityOf(credentials), this.#options.random());
    this.#obstacle(null);
    if (!renewal) return;
    for (const listener of this.#listeners) {
      try {
        listener(credentials);
      } catch (error) {
        this.#log.error({ err: error }, 'a listener to renewed certificates threw');
      }
    }
  }

  #retryMs(): number {
    const full = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures - 1, 10));
    return full * (0.5 + this.#options.random() / 2);
  }

  #obstacle(obstacle: string | null): void {
    this.#options.readiness?.set('identity', obstacle);
  }
}

function isUsable(credentials: Credentials, uid: string, now: Date): boolean {
  try {
    return unusable(credentials, uid, now) === null;
  } catch {
    return false; // not even PEM: half written by a process that ended
  }
}

function unrefTimer(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  timer.unref();
  return () => clearTimeout(timer);
}
