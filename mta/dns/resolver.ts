// A stub resolver over configured servers. node:dns has no time to live for MX and TXT and no NXDOMAIN/NODATA times, and its
// cache-less resolver threads have no bound of ours; so packets are dns-packet's, and bounds and caches are here.
import { domainToASCII } from 'node:url';
import type { DecodedPacket } from 'dns-packet';
import type { Answer, QueryType, Resolver, TimedAnswer } from './answer.ts';
import { AnswerCache } from './cache.ts';
import { exchange } from './exchange.ts';
import { Gate } from './gate.ts';
import { interpret, plainName } from './interpret.ts';
import { type DnsServer, readServers } from './servers.ts';

export type { Answer, MxRecord, QueryType, Resolver } from './answer.ts';

export interface ResolverOptions {
  /** `address` or `address:port`; empty or absent: the system's. */
  readonly servers?: readonly string[];
  /** A clock in ms for the caches; monotonic, so that a clock jump neither empties nor freezes them. */
  readonly now?: () => number;
  /** How long one server is waited for, and how often the list of servers is gone through. */
  readonly timeoutMs?: number;
  readonly rounds?: number;
  readonly maxInFlight?: number;
  readonly maxWaiting?: number;
  readonly maxCached?: number;
  /** Bounds in seconds on how long an answer is kept, whatever its TTL. */
  readonly positiveSeconds?: Bounds;
  readonly negativeSeconds?: Bounds;
  /** For how long a failure is kept, so that a dead domain is not asked for by every parcel (RFC 2308 §7: at most 300). */
  readonly failureSeconds?: number;
  /** For how long records past their time still serve while no server answers. */
  readonly staleSeconds?: number;
}
interface Bounds {
  readonly min: number;
  readonly max: number;
}

const PRESETS = {
  servers: [] as readonly string[],
  now: () => performance.now(),
  timeoutMs: 3000,
  rounds: 2,
  maxInFlight: 256,
  maxWaiting: 10_000,
  maxCached: 50_000,
  positiveSeconds: { min: 10, max: 3600 },
  negativeSeconds: { min: 10, max: 900 },
  failureSeconds: 5,
  staleSeconds: 3600,
} as const;

/** @throws RangeError when a server is written wrongly. */
export function createResolver(options: ResolverOptions = {}): Resolver {
  return new CachingResolver({ ...PRESETS, ...options });
}

class CachingResolver implements Resolver {
  readonly #options: Required<ResolverOptions>;
  readonly #servers: readonly DnsServer[];
  readonly #cache: AnswerCache;
  readonly #gate: Gate;
  readonly #underWay = new Map<string, Promise<Answer>>();
  readonly #closed = new AbortController();

  constructor(options: Required<ResolverOptions>) {
    this.#options = options;
    this.#servers = readServers(options.servers);
    this.#cache = new AnswerCache(options.maxCached);
    this.#gate = new Gate(options.maxInFlight, options.maxWaiting);
  }

  async query(given: string, type: QueryType): Promise<Answer> {
    const name = asciiName(given);
    if (name === null) return { kind: 'no-domain' };
    const key = `${type} ${name}`;
    const cached = this.#cache.get(key, this.#options.now());
    if (cached) return cached;
    const underWay = this.#underWay.get(key) ?? this.#ask(key, name, type);
    this.#underWay.set(key, underWay);
    return underWay;
  }

  close(): void {
    this.#closed.abort();
  }

  async #ask(key: string, name: string, type: QueryType): Promise<Answer> {
    const timed = await this.#gate.run(() => this.#resolve(name, type));
    this.#underWay.delete(key);
    if (timed === null) return { kind: 'temporary', reason: 'too many DNS queries are waiting' };
    const { answer } = timed;
    const now = this.#options.now();
    const stale = this.#cache.stale(key, now, this.#options.staleSeconds * 1000);
    const kept = answer.kind === 'temporary' && stale ? stale : answer;
    // A stale answer is not written again: its age goes on counting.
    if (kept === answer) this.#cache.set(key, answer, now + this.#keepSeconds(timed) * 1000);
    return kept;
  }

  #keepSeconds({ answer, ttlSeconds }: TimedAnswer): number {
    if (answer.kind === 'temporary') return this.#options.failureSeconds;
    const { min, max } =
      answer.kind === 'records' ? this.#options.positiveSeconds : this.#options.negativeSeconds;
    return Math.min(Math.max(ttlSeconds ?? 0, min), max);
  }

  /** Follows aliases that leave a packet, at most eight: a server that recurses gives the whole chain at once. */
  async #resolve(name: string, type: QueryType): Promise<TimedAnswer> {
    let asked = name;
    let ttl = Number.POSITIVE_INFINITY;
    for (let hops = 0; hops < 8; hops++) {
      const result = await this.#askServers(asked, type);
      if (!('alias' in result)) {
        return {
          answer: result.answer,
          ttlSeconds: result.ttlSeconds === null ? null : Math.min(ttl, result.ttlSeconds),
        };
      }
      ttl = Math.min(ttl, result.ttlSeconds);
      asked = plainName(result.alias);
    }
    return { answer: { kind: 'temporary', reason: `${name} has too many aliases` }, ttlSeconds: null };
  }

  /** Goes through the servers until one gives an answer that is not a failure. */
  async #askServers(name: string, type: QueryType): Promise<ReturnType<typeof interpret>> {
    let reason = 'no DNS server is configured';
    for (let round = 0; round < this.#options.rounds; round++) {
      for (const server of this.#servers) {
        if (this.#closed.signal.aborted)
          return { answer: { kind: 'temporary', reason: 'the resolver is closed' }, ttlSeconds: null };
        const result = await this.#askServer(server, name, type);
        if (!('answer' in result) || result.answer.kind !== 'temporary') return result;
        reason = `${server.address}: ${result.answer.reason}`;
      }
    }
    return { answer: { kind: 'temporary', reason }, ttlSeconds: null };
  }

  async #askServer(server: DnsServer, name: string, type: QueryType): Promise<ReturnType<typeof interpret>> {
    const ask = (edns: boolean): Promise<DecodedPacket> =>
      exchange(server, { name, type, edns }, this.#options.timeoutMs, this.#closed.signal);
    try {
      const packet = await ask(true);
      const rcode = (packet as { rcode?: string }).rcode;
      const answer = rcode === 'FORMERR' || rcode === 'NOTIMP' ? await ask(false) : packet;
      return interpret(answer, name, type);
    } catch (error) {
      return { answer: { kind: 'temporary', reason: String((error as Error).message) }, ttlSeconds: null };
    }
  }
}

/** The name as it goes into a packet: A-labels, lower case, no final dot; null when it can be no name (RFC 1035 §2.3.4). */
function asciiName(given: string): string | null {
  const name = /^[\x21-\x7e]*$/.test(given) ? plainName(given) : domainToASCII(plainName(given));
  const labels = name.split('.');
  const fits = name.length <= 253 && labels.every((label) => label.length >= 1 && label.length <= 63);
  return fits ? name : null;
}
