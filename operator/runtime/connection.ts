// The way to the API server: its address, one shared agent, and fresh credentials. client-node's own dispatcher opens a
// TLS connection for every request; here it only reads the kubeconfig and authenticates.
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { type Clock, systemClock } from './clock.ts';

/** What one request is sent with. */
export interface Access {
  readonly dispatcher: Dispatcher;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Connection {
  /** Base URL without a slash at the end. */
  readonly server: string;
  /** `renew`: the server did not accept the credentials last given. */
  access(renew?: boolean): Promise<Access>;
  /** Ends all connections; requests in flight fail. */
  close(): Promise<void>;
}

/** Service-account tokens rotate hourly at the earliest; the files are looked at this often. */
const REFRESH_MS = 60_000;

/**
 * Connects as the kubeconfig says: `KUBECONFIG`, `~/.kube/config`, or in a pod the service account.
 * @throws when there is no cluster in it
 */
export function connectByKubeConfig(
  config: KubeConfig = defaultConfig(),
  clock: Clock = systemClock,
): Connection {
  return new KubeConfigConnection(config, clock);
}

function defaultConfig(): KubeConfig {
  const config = new KubeConfig();
  config.loadFromDefault();
  return config;
}

class KubeConfigConnection implements Connection {
  readonly server: string;
  readonly #config: KubeConfig;
  readonly #clock: Clock;
  #current: Promise<Access> | null = null;
  #readAt = 0;
  #agent: { readonly dispatcher: Dispatcher; readonly fingerprint: string } | null = null;

  constructor(config: KubeConfig, clock: Clock) {
    const cluster = config.getCurrentCluster();
    if (!cluster) throw new Error('the kubeconfig names no current cluster');
    this.server = cluster.server.replace(/\/+$/, '');
    this.#config = config;
    this.#clock = clock;
  }

  access(renew = false): Promise<Access> {
    const now = this.#clock.monotonic();
    if (!this.#current || renew || now - this.#readAt > REFRESH_MS) {
      this.#readAt = now;
      const reading = this.#read();
      reading.catch(() => {
        if (this.#current === reading) this.#current = null;
      });
      this.#current = reading;
    }
    return this.#current;
  }

  async close(): Promise<void> {
    await this.#agent?.dispatcher.destroy();
    this.#agent = null;
    this.#current = null;
  }

  async #read(): Promise<Access> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const headers = Object.fromEntries(
      Object.entries(options.headers ?? {}).map(([name, value]) => [name, String(value)]),
    );
    if (options.auth) headers.Authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    return { dispatcher: this.#agentFor(options), headers };
  }

  /** One agent for as long as the TLS material stays the same; a rotated one replaces it without cutting requests. */
  #agentFor({ ca, cert, key, rejectUnauthorized, servername }: RequestOptions): Dispatcher {
    const tls = { ca, cert, key, rejectUnauthorized, servername };
    const fingerprint = JSON.stringify(Object.values(tls).map((part) => part?.toString() ?? null));
    if (this.#agent?.fingerprint === fingerprint) return this.#agent.dispatcher;
    void this.#agent?.dispatcher.close();
    const dispatcher = this.#newAgent(
      Object.fromEntries(Object.entries(tls).filter(([, part]) => part !== undefined)),
    );
    this.#agent = { dispatcher, fingerprint };
    return dispatcher;
  }

  #newAgent(tls: Record<string, unknown>): Dispatcher {
    const proxy = this.#config.getCurrentCluster()?.proxyUrl;
    // HTTP/1.1: a watch then has its own connection and cannot hold up other requests.
    const common = { allowH2: false, keepAliveTimeout: 60_000, pipelining: 1 };
    if (proxy) return new ProxyAgent({ ...common, uri: proxy, requestTls: tls });
    return new Agent({
      ...common,
      connect: { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000, timeout: 10_000 },
    });
  }
}
