// Three nodes, one movable address, and everything that can go wrong: NATS away from one or all, processes stopped in mid-breath or
// killed, hand-overs, other orders of standing by. The kernels' clocks count the address down, whatever the processes do.
import fc from 'fast-check';
import { raised } from './bringup.ts';
import type { Clock } from './clock.ts';
import { LEASE_TIMES } from './hold.ts';
import { holder, Kv, Time } from './keeper.fixture.ts';
import { Keeper } from './keeper.ts';
import type { LeaseStore } from './lease.ts';

const LINK = { name: 'eth0', mac: '02:00:00:00:00:01' };
/** How late the kernel may look. */
const KERNEL_LAG_MS = 1000;

class Node {
  readonly name: string;
  readonly #time: Time;
  readonly #kv: Kv;
  rank: number;
  nats = true;
  paused = false;
  /** Until when its kernel has the address. */
  upUntil = 0;
  #starts = 0;
  #resumed: (() => void)[] = [];
  keeper: Keeper;

  constructor(name: string, rank: number, time: Time, kv: Kv) {
    [this.name, this.rank, this.#time, this.#kv] = [name, rank, time, kv];
    this.keeper = this.#begin();
  }

  #begin(): Keeper {
    const uid = `${this.name}${++this.#starts}`;
    const alive = () => this.keeper === keeper;
    const keeper: Keeper = new Keeper({
      ...{ address: '198.51.100.10', ipPool: 'mail/ips', movable: true, broughtUp: true },
      holder: { ...holder(uid), node: this.name },
      rank: () => this.rank,
      store: this.#store(alive),
      // The kernel gives the lock back when its process ends.
      lock: { acquire: async () => alive(), release: async () => {} },
      presence: {
        obstacle: () => null,
        raise: async (ms) => {
          await this.#running();
          const [, seconds] = /valid_lft (\d+)/.exec(raised('198.51.100.10/32', LINK, ms)) ?? [];
          if (alive()) this.upUntil = this.#time.now() + Number(seconds) * 1000 + KERNEL_LAG_MS;
        },
        lower: async () => {
          await this.#running();
          if (alive()) this.upUntil = 0;
        },
      },
      open: () => ({}),
      connected: () => 0,
      times: LEASE_TIMES,
      clock: this.#clock(alive),
      wallNow: () => 1,
      onChange: () => {},
    });
    this.keeper = keeper;
    keeper.start();
    return keeper;
  }

  #running(): Promise<void> {
    return this.paused ? new Promise((resolve) => this.#resumed.push(resolve)) : Promise.resolve();
  }

  #clock(alive: () => boolean): Clock {
    return {
      now: this.#time.now,
      after: (ms, run) =>
        this.#time.after(ms, () => {
          if (this.paused) this.#resumed.push(() => alive() && run());
          else if (alive()) run();
        }),
    };
  }

  /** A process that is stopped neither sends nor hears; one that was killed never will. */
  #store(alive: () => boolean): LeaseStore {
    const store = this.#kv.store(() => this.nats && alive());
    return {
      read: async () => {
        const read = await store.read();
        await this.#running();
        return read;
      },
      write: async (record, revision) => {
        const written = await store.write(record, revision);
        await this.#running();
        return written;
      },
    };
  }

  resume(): void {
    this.paused = false;
    for (const run of this.#resumed.splice(0)) run();
  }

  /** kill -9, and the kubelet starts another. */
  restart(): void {
    this.resume();
    this.#begin();
  }

  /** A rollout: the successor waits beside it already. */
  async handOver(): Promise<void> {
    if (this.paused) return;
    const before = this.keeper;
    await before.handOver(new AbortController().signal);
    this.#begin();
  }
}

type Step = {
  readonly what: 'nats' | 'pause' | 'restart' | 'handOver' | 'demote';
  readonly node: number;
  readonly ms: number;
};
const anyStep: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom('nats', 'pause', 'restart', 'handOver', 'demote'),
  node: fc.nat(2),
  ms: fc.integer({ min: 50, max: 25_000 }),
});

const act: Record<Step['what'], (node: Node) => unknown> = {
  nats: (node) => {
    node.nats = !node.nats;
  },
  pause: (node) => {
    if (node.paused) node.resume();
    else node.paused = true;
  },
  restart: (node) => node.restart(),
  handOver: (node) => void node.handOver(),
  demote: (node) => {
    node.rank = (node.rank + 1) % 3;
  },
};

test('whatever happens, no two nodes have the address at once, and when all is calm one has it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 14 }), async (steps) => {
      const [time, kv] = [new Time(), new Kv()];
      const nodes = ['a', 'b', 'c'].map((name, rank) => new Node(name, rank, time, kv));
      const watch = async (ms: number) => {
        for (const end = time.ms + ms; time.ms < end; ) {
          await time.pass(50);
          const up = nodes.filter(({ upUntil }) => upUntil > time.ms).map(({ name }) => name);
          if (up.length > 1) throw new Error(`${up.join(' and ')} have it at ${time.ms}`);
          const holding = nodes.filter(({ keeper }) => keeper.epoch !== null);
          if (holding.length > 1) throw new Error(`${holding.length} grant at ${time.ms}`);
        }
      };
      await watch(2000);
      for (const { what, node, ms } of steps) {
        act[what](nodes[node] as Node);
        await watch(ms);
      }
      for (const node of nodes) {
        node.nats = true;
        node.resume();
      }
      await watch(40_000);
      expect(nodes.filter(({ keeper, upUntil }) => keeper.epoch !== null && upUntil > time.ms)).toHaveLength(
        1,
      );
    }),
    { numRuns: 60 },
  );
}, 120_000);
