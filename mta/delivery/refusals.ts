// What a refusal of egress means for the next try, and what is remembered of it: nobody asks before there is reason to.
import type { Log } from '../../process/log.ts';
import type { Families } from './families.ts';
import type { Hosts } from './hosts.ts';
import { type Patience, STALE } from './patience.ts';
import type { Task } from './ports.ts';
import type { Rooms } from './rooms.ts';
import type { SessionPool } from './session-pool.ts';
import type { Source } from './sources.ts';
import type { TunnelRefused } from './tunnel.ts';
import { FULL, LONGEST_WARMUP_WAIT, nextSource, type Try, untilTomorrow, wait } from './verdicts.ts';

/** What a pod has learnt of hosts and of its addresses, and its open connections. */
export interface Known {
  readonly pool: SessionPool;
  readonly hosts: Hosts;
  readonly patience: Patience;
  readonly rooms: Rooms;
  readonly families: Families;
}

/** Waits when egress gives no time of its own, in seconds. */
const WAIT = { limit: 15, freed: 0.25, holder: 5 } as const;

export class Refusals {
  readonly #known: Known;
  readonly #epochs: () => string;
  readonly #log: Log;

  constructor(known: Known, epochs: () => string, log: Log) {
    this.#known = known;
    this.#epochs = epochs;
    this.#log = log;
  }

  /** Takes the refusal in, and says what is to be tried next. */
  tryAfter(error: TunnelRefused, task: Task, source: Source, host: string): Try {
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
          this.#known.rooms.refused(
            source.address,
            task.provider,
            error.reason === 'WarmupSuspended',
            error.warmup,
          );
        return nextSource(untilTomorrow(seconds ?? LONGEST_WARMUP_WAIT));
      case 'WarmupBusy':
      case 'WarmupUnavailable':
        return nextSource(wait(this.#makeRoom(task, source, seconds), `warm-up: ${error.reason}`));
      case 'NoSuchHost':
        this.#known.families.lacks(host, source.address);
        return { kind: 'nextFamily', verdict: { kind: 'failed', why: `4.4.1 ${host}: ${error.reason}` } };
      case 'StaleEpoch':
        // Under other epochs, which may have come in meanwhile, it can be asked at once.
        return nextSource(wait(Math.max(0.1, this.#known.patience.staleFor(this.#epochs())), STALE));
      case 'ResolveFailed':
      case 'ConnectFailed':
      case 'ConnectTimeout':
      case 'ForbiddenDestination':
        this.#known.hosts.avoid(host);
        return { kind: 'nextHost', verdict: { kind: 'failed', why: `4.4.1 ${host}: ${error.reason}` } };
      default:
        this.#log.warn({ reason: error.reason, err: error.cause, host }, 'egress did not connect');
        return nextSource(wait(seconds ?? WAIT.holder, error.message));
    }
  }

  /**
   * An idle connection of ours to another site of the provider may hold the slot: one is ended. Returns when to ask again; until then
   * nobody asks for this address and provider, for each refusal costs a handshake.
   */
  #makeRoom(task: Task, source: Source, seconds: number | null): number {
    const isFreed = this.#known.pool.endOneIdle(source.address, task.provider);
    return this.#isFull(task, source, isFreed ? WAIT.freed : seconds);
  }

  #isFull(task: Task, source: Source, seconds: number | null): number {
    return this.#known.patience.isFull(source.address, task.provider, seconds ?? WAIT.limit);
  }
}
