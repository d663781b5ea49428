// Which task goes next. Pure: time is passed in, nothing is random. Work waits in lanes, one per (class, account); a lane
// holds the sites it has work for. The next task comes from the class with the least served share, of its accounts in
// turn, of that account's sites in turn. So bulk cannot starve transactional, nor an account with a million messages
// one with ten, nor a slow site the others: a site without room is parked outside every lane until it has room again.
import { TRANSFER_CLASS } from '../bus/names.ts';
import type { PoolSnapshot } from '../bus/snapshot.ts';
import type { Task } from './ports.ts';

export interface Weighted {
  readonly name: string;
  readonly weight: number;
}

/** The classes of the pool; transfers come behind all of them. */
export function weightsOf({ classes }: Pick<PoolSnapshot, 'classes'>): Weighted[] {
  const least = Math.min(...classes.map(({ weight }) => weight));
  return [...classes, { name: TRANSFER_CLASS, weight: least / 2 }];
}

interface Site {
  readonly name: string;
  active: number;
  queued: number;
  limit: number;
  readonly maxLimit: number;
  blockedUntil: number;
  /** When the limit may be raised again after a refusal. */
  raiseAt: number;
  /** Until when a refusal is taken to say that there is no more room for anybody. */
  fullUntil: number;
  readonly parked: Set<Lane>;
}

interface Lane {
  readonly key: string;
  readonly owner: ClassLane;
  /** Sites with work that are not parked, in turn. */
  readonly ring: Set<string>;
  readonly queues: Map<string, Task[]>;
}

interface ClassLane {
  readonly name: string;
  weight: number;
  /** Share served so far, divided by the weight (stride scheduling). */
  pass: number;
  /** Lanes with a site that may go now, in turn. */
  readonly lanes: Set<Lane>;
  readonly byAccount: Map<string, Lane>;
}

/** How long a site keeps its lowered limit before one more connection is tried. */
const RAISE_AFTER_MS = 5000;

export class Scheduler {
  readonly #classes = new Map<string, ClassLane>();
  readonly #sites = new Map<string, Site>();
  readonly #blocked = new Set<Site>();
  #weights: ReadonlyMap<string, number> = new Map();
  #queued = 0;
  #active = 0;

  /** Sets the shares of the classes; an unknown class has weight 1. */
  setWeights(classes: readonly Weighted[]): void {
    this.#weights = new Map(classes.map(({ name, weight }) => [name, weight]));
    for (const lane of this.#classes.values()) lane.weight = this.#weights.get(lane.name) ?? 1;
  }

  get queued(): number {
    return this.#queued;
  }

  get active(): number {
    return this.#active;
  }

  queuedAt(site: string): number {
    return this.#sites.get(site)?.queued ?? 0;
  }

  /** How many of the tasks that wait for the site fall to each of the attempts under way there. */
  shareOf(site: string): number {
    const found = this.#sites.get(site);
    return found ? Math.ceil(found.queued / Math.max(1, found.active)) : 0;
  }

  /** Whether a task for the site could start at once. */
  hasRoom(site: string, now: number): boolean {
    const found = this.#sites.get(site);
    return !found || (found.queued === 0 && found.active < found.limit && found.blockedUntil <= now);
  }

  /**
   * Whether as many attempts as limits allow are under way at the site, or none may be now: more pods would not speed it up. A limit that
   * is only being raised again, step by step, is this pod's own.
   */
  isFull(site: string, now: number): boolean {
    const found = this.#sites.get(site);
    if (!found) return false;
    return found.blockedUntil > now || found.fullUntil > now || found.active >= found.maxLimit;
  }

  /** Until when (ms) nothing starts at the site; 0 when it is not blocked. */
  blockedUntil(site: string): number {
    return this.#sites.get(site)?.blockedUntil ?? 0;
  }

  /** Queues a task. `maxConcurrency` is how many attempts this pod may ever make at the site at once. */
  offer(task: Task, maxConcurrency: number): void {
    const site = this.#site(task.site, maxConcurrency);
    const lane = this.#lane(task);
    const queue = lane.queues.get(task.site);
    site.queued++;
    this.#queued++;
    if (queue) {
      queue.push(task);
      return;
    }
    lane.queues.set(task.site, [task]);
    this.#activate(lane, task.site);
  }

  /** Takes the next task that may start at `now`, or null. Call `done` when it has ended. */
  next(now: number): Task | null {
    this.#unblock(now);
    for (const owner of [...this.#classes.values()].sort((a, b) => a.pass - b.pass)) {
      const task = this.#nextOf(owner, now);
      if (!task) continue;
      owner.pass += 1 / owner.weight;
      return task;
    }
    return null;
  }

  /** An attempt at the site has ended. */
  done(site: string, now: number): void {
    const found = this.#sites.get(site);
    if (!found) return;
    found.active--;
    this.#active--;
    if (found.limit < found.maxLimit && now >= found.raiseAt) {
      found.limit++;
      found.raiseAt = now + RAISE_AFTER_MS;
    }
    this.#unpark(found, now);
    this.#forget(found, now);
  }

  /**
   * The site grants no further connection for `retryAfterMs`: what is open goes on, no more is asked for until then. Call it
   * before `done` of the refused attempt.
   */
  refused(site: string, now: number, retryAfterMs: number): void {
    const found = this.#sites.get(site);
    if (!found) return;
    const others = found.active - 1;
    found.limit = Math.max(1, others);
    found.raiseAt = now + retryAfterMs;
    found.fullUntil = found.raiseAt + RAISE_AFTER_MS;
    if (others > 0) return;
    found.blockedUntil = Math.max(found.blockedUntil, now + retryAfterMs);
    this.#blocked.add(found);
  }

  /** Takes out the queued tasks that `which` names, and returns them. */
  withdraw(which: (task: Task) => boolean): Task[] {
    const out: Task[] = [];
    for (const owner of this.#classes.values())
      for (const lane of owner.byAccount.values())
        for (const [site, queue] of lane.queues) {
          const kept = queue.filter((task) => !which(task));
          if (kept.length === queue.length) continue;
          out.push(...queue.filter(which));
          this.#replace(lane, site, queue.length, kept);
        }
    return out;
  }

  /** The time (ms) at which the next blocked site may go again, or null. */
  nextWake(): number | null {
    let wake: number | null = null;
    for (const site of this.#blocked) if (wake === null || site.blockedUntil < wake) wake = site.blockedUntil;
    return wake;
  }

  #replace(lane: Lane, name: string, before: number, kept: Task[]): void {
    const site = this.#site(name, 1);
    site.queued -= before - kept.length;
    this.#queued -= before - kept.length;
    if (kept.length) lane.queues.set(name, kept);
    else lane.queues.delete(name); // a stale name in a ring or among the parked is skipped when it comes up
    this.#forgetLane(lane);
    this.#forget(site, 0);
  }

  #nextOf(owner: ClassLane, now: number): Task | null {
    for (const lane of owner.lanes) {
      owner.lanes.delete(lane);
      const task = this.#nextIn(lane, now);
      if (lane.ring.size) owner.lanes.add(lane);
      if (task) return task;
    }
    return null;
  }

  #nextIn(lane: Lane, now: number): Task | null {
    for (const name of lane.ring) {
      lane.ring.delete(name);
      const queue = lane.queues.get(name);
      const site = this.#sites.get(name);
      if (!queue || !site) continue;
      if (site.active >= site.limit || site.blockedUntil > now) {
        site.parked.add(lane);
        continue;
      }
      const task = queue.shift() as Task; // a queue in the map is never empty
      if (queue.length) lane.ring.add(name);
      else lane.queues.delete(name);
      this.#forgetLane(lane);
      site.queued--;
      site.active++;
      this.#queued--;
      this.#active++;
      return task;
    }
    this.#forgetLane(lane);
    return null;
  }

  #activate(lane: Lane, site: string): void {
    lane.ring.add(site);
    // A class that was idle starts level with the others: idleness earns no credit.
    if (lane.owner.lanes.size === 0) lane.owner.pass = Math.max(lane.owner.pass, this.#leastPass());
    lane.owner.lanes.add(lane);
  }

  #leastPass(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const owner of this.#classes.values()) if (owner.lanes.size) least = Math.min(least, owner.pass);
    return Number.isFinite(least) ? least : 0;
  }

  #unblock(now: number): void {
    for (const site of this.#blocked) {
      if (site.blockedUntil > now) continue;
      this.#blocked.delete(site);
      this.#unpark(site, now);
      this.#forget(site, now);
    }
  }

  #unpark(site: Site, now: number): void {
    if (site.active >= site.limit || site.blockedUntil > now) return;
    for (const lane of site.parked) if (lane.queues.has(site.name)) this.#activate(lane, site.name);
    site.parked.clear();
  }

  #forget(site: Site, now: number): void {
    if (site.active === 0 && site.queued === 0 && site.blockedUntil <= now && site.limit === site.maxLimit)
      this.#sites.delete(site.name);
  }

  #forgetLane(lane: Lane): void {
    if (lane.queues.size === 0) lane.owner.byAccount.delete(lane.key);
  }

  #site(name: string, maxLimit: number): Site {
    let site = this.#sites.get(name);
    if (!site) {
      const max = Math.max(1, maxLimit);
      const parked = new Set<Lane>();
      site = {
        name,
        active: 0,
        queued: 0,
        limit: max,
        maxLimit: max,
        blockedUntil: 0,
        raiseAt: 0,
        fullUntil: 0,
        parked,
      };
      this.#sites.set(name, site);
    }
    return site;
  }

  #lane(task: Task): Lane {
    let owner = this.#classes.get(task.priorityClass);
    if (!owner) {
      const weight = this.#weights.get(task.priorityClass) ?? 1;
      owner = { name: task.priorityClass, weight, pass: 0, lanes: new Set(), byAccount: new Map() };
      this.#classes.set(task.priorityClass, owner);
    }
    let lane = owner.byAccount.get(task.account);
    if (!lane) {
      lane = { key: task.account, owner, ring: new Set(), queues: new Map() };
      owner.byAccount.set(task.account, lane);
    }
    return lane;
  }
}
