// Brings due recipients from the spool into the scheduler, in chunks, so that memory is bounded however long the queue is.
// Sites that have enough queued, or are blocked, are passed over: one slow site with a hundred thousand due
// recipients must not fill the window and starve the rest.
import type { Log } from '../../process/log.ts';
import type { HopId } from '../message/parcel.ts';
import type { Spool, SpoolEntry } from '../spool/port.ts';
import type { Busy } from './busy.ts';
import { domainOf, MOST_RECIPIENTS } from './intake.ts';
import type { Lane } from './lane.ts';
import type { Clock, Policy, Route, Task, Verdict } from './ports.ts';
import { type Fate, fateOf, keptFate } from './results.ts';
import type { Scheduler } from './scheduler.ts';
import type { Header, Settler } from './settle.ts';

export interface FeedParts {
  readonly spool: Spool;
  readonly scheduler: Scheduler;
  readonly settler: Settler;
  readonly busy: Busy;
  /** Nothing is to be begun with a copy: it is still in hand, or in doubt. */
  readonly heldBack: (hopId: HopId) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly policy: () => Policy;
  readonly random: () => number;
  readonly route: (domain: string) => Promise<Route>;
  /** The site of a domain when it is known already. */
  readonly knownSite: (domain: string) => string | null;
  readonly lane: Lane;
  readonly concurrency: (provider: string) => number;
  readonly open: () => boolean;
  readonly pump: () => void;
}

const WINDOW = 600;
const CHUNK = 400;
const MOST_PER_SITE = 60;
/** How long recipients are left alone after an error that nobody foresaw. */
const REST_MS = 60_000;
/** The feed may take this share of the time: looking through a long queue of blocked sites must not eat the CPU. */
const SHARE = 20;

/** Recipients of one parcel for one domain, as many as fit one transaction. */
export interface Group {
  readonly domain: string;
  readonly entries: SpoolEntry[];
}

/** Groups entries by parcel, domain and the source addresses they return from and avoid. Pure. */
export function groupEntries(entries: readonly SpoolEntry[]): Group[] {
  const groups = new Map<string, Group>();
  const full: Group[] = [];
  for (const entry of entries) {
    const domain = domainOf(entry.recipient.address);
    const key = `${entry.hopId} ${domain} ${entry.recipient.stickySource ?? ''} ${entry.recipient.avoidSource ?? ''}`;
    const group = groups.get(key);
    if (group && group.entries.length < MOST_RECIPIENTS) group.entries.push(entry);
    else {
      if (group) full.push(group);
      groups.set(key, { domain, entries: [entry] });
    }
  }
  return [...full, ...groups.values()];
}

export class Feed {
  readonly #parts: FeedParts;
  #notBefore = 0;
  #paused = false;

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  /** While paused (hand-over, shutdown) nothing more is taken from the spool. */
  set paused(paused: boolean) {
    this.#paused = paused;
  }

  /** Fills the scheduler's window from the spool; cheap when there is nothing to do. */
  fill(): void {
    const { spool, scheduler, clock, open } = this.#parts;
    const started = clock.monotonic();
    if (this.#paused || !open() || scheduler.queued >= WINDOW / 2 || started < this.#notBefore) return;
    const now = clock.now();
    const taken = new Map<string, number>();
    const entries = spool.due(now, CHUNK, (entry) => this.#skip(entry, now, taken));
    this.#notBefore = clock.monotonic() + (clock.monotonic() - started) * SHARE;
    for (const group of groupEntries(entries)) this.#take(group);
  }

  #skip(entry: SpoolEntry, now: number, taken: Map<string, number>): boolean {
    const { busy, heldBack, scheduler, knownSite } = this.#parts;
    if (busy.has(entry.hopId, entry.index)) return true;
    if (heldBack(entry.hopId)) return true;
    const domain = domainOf(entry.recipient.address);
    const known = knownSite(domain);
    const site = known && known + this.#parts.lane(() => this.#parts.spool.parcel(entry.hopId)?.header);
    if (site && scheduler.blockedUntil(site) > now) return true;
    const key = site ?? domain;
    const here = (taken.get(key) ?? 0) + 1;
    if (here + scheduler.queuedAt(key) > MOST_PER_SITE) return true;
    taken.set(key, here);
    return false;
  }

  #take(group: Group): void {
    const [first] = group.entries;
    if (!first) return;
    const indexes = group.entries.map(({ index }) => index);
    this.#parts.busy.add(first.hopId, indexes);
    this.#place(group, first, indexes).catch((error: unknown) => {
      this.#parts.busy.rest(first.hopId, indexes, REST_MS);
      this.#parts.log.error({ hopId: first.hopId, err: error }, 'a spooled recipient cannot be placed');
    });
  }

  async #place(group: Group, first: SpoolEntry, indexes: readonly number[]): Promise<void> {
    const { spool, busy, route, scheduler, concurrency, pump } = this.#parts;
    const parcel = spool.parcel(first.hopId);
    if (!parcel) return busy.delete(first.hopId, indexes);
    if (group.entries.some(({ recipient }) => keptFate(recipient)))
      return this.#end(
        parcel.header,
        group,
        indexes,
        (entry) => keptFate(entry.recipient) ?? untouched(entry),
      );
    const to = await route(group.domain);
    if (to.kind !== 'site')
      return this.#end(parcel.header, group, indexes, (entry) => this.#unroutable(parcel.header, entry, to));
    const { account, priorityClass } = parcel.header;
    const site = to.site + this.#parts.lane(() => parcel.header);
    const task: Task = {
      hopId: first.hopId,
      account,
      priorityClass,
      domain: group.domain,
      indexes,
      ...to,
      site,
    };
    scheduler.offer(task, concurrency(to.provider));
    pump();
  }

  async #end(
    header: Header,
    group: Group,
    indexes: readonly number[],
    fate: (entry: SpoolEntry) => Fate,
  ): Promise<void> {
    const hopId = header.hopId;
    const settled = group.entries.map((entry) => ({
      index: entry.index,
      recipient: entry.recipient,
      fate: fate(entry),
    }));
    try {
      await this.#parts.settler.settle(hopId, header, settled);
    } finally {
      this.#parts.busy.delete(hopId, indexes);
    }
  }

  #unroutable(header: Header, entry: SpoolEntry, to: Exclude<Route, { kind: 'site' }>): Fate {
    const { policy, random, clock } = this.#parts;
    const verdict: Verdict =
      to.kind === 'none'
        ? { kind: 'reply', reply: to.reply, phase: 'rcpt' }
        : { kind: 'failed', why: to.reply };
    const at = { policy: policy(), now: clock.now(), acceptedAt: header.acceptedAt, source: null, random };
    return fateOf(entry.recipient, verdict, at);
  }
}

const untouched = (entry: SpoolEntry): Fate => ({
  kind: 'waits',
  recipient: entry.recipient,
  counted: false,
});
