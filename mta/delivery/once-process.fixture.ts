// A process of a delivery pod in once.test.ts: the real engine, shards, pulls, hand-over and memory. Once it is killed, nothing that it says is
// heard, and nothing that it asks is answered.
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { log } from '../../process/log.ts';
import { poolKey } from '../bus/names.ts';
import type { Assignment } from '../bus/snapshot.ts';
import { Engine } from './engine.ts';
import { Fleet } from './fleet.ts';
import { LASTING } from './incarnation.fixture.ts';
import { decodeChunk, ID_BYTES } from './memory/chunk.ts';
import { IdSet } from './memory/id-set.ts';
import { ShardMemory } from './memory/memory.ts';
import type { World } from './once.fixture.ts';
import type { Fate, Volume, Waiting } from './once-volume.fixture.ts';
import type { AttemptResult, Task, Verdict } from './ports.ts';
import { Shards } from './shards.ts';
import { POLICY, poolValue } from './values.fixture.ts';

const CLASSES = ['bulk'];
const KEY = poolKey('mail/main');
const VERDICTS: readonly Verdict[] = [
  { kind: 'reply', reply: '250 ok', phase: 'dot' },
  { kind: 'reply', reply: '450 4.2.0 later', phase: 'rcpt' },
  { kind: 'reply', reply: '451 4.3.2 not now', phase: 'rcpt' },
  { kind: 'failed', why: 'no connection' },
  { kind: 'noRoom', retryAfterSeconds: 1, why: 'full' },
];

export class Process {
  readonly uid: string;
  readonly #world: World;
  readonly #volume: Volume;
  readonly #fleet: Fleet;
  readonly #engine: Engine;
  readonly #shards: Shards;
  readonly #memory: ShardMemory;
  #isAlive = true;

  constructor(world: World, volume: Volume, name: string, uid: string) {
    this.#world = world;
    this.#volume = volume;
    this.uid = uid;
    const clock = { now: () => world.now, monotonic: () => world.now };
    this.#fleet = new Fleet(join(world.folder, uid), log);
    const classes = CLASSES.map((one) => ({ name: one, weight: 1 }));
    this.#fleet.setPool({ ...poolValue, version: 1, shards: 1, classes, policy: POLICY });
    this.#memory = new ShardMemory({
      ...{ monotonic: clock.monotonic, log, obstacle: () => {} },
      write: (_, chunk) => this.#asked(world.chunks, () => void world.memory.push(chunk)),
      read: async () => idsIn(world.memory),
    });
    this.#engine = new Engine({
      ...{ pod: name, uid, pool: 'mail/main', clock, log, registry: new Registry() },
      ...{ memory: this.#memory, fleet: this.#fleet, random: () => 0.5, obstacle: () => {} },
      spool: volume.spool(() => this.#isAlive),
      sender: {
        ...{ stop: async () => {}, rest: () => {}, connections: () => [] },
        send: (task) => this.#send(task),
      },
      publish: (_, data, id) => this.#asked(world.publishes, () => world.publish(data, id ?? '')),
      lookupMx: async () => ({ kind: 'hosts', hosts: [{ host: 'mx.test', preference: 1 }] }),
      suppressed: async (pairs) => pairs.map(() => false),
    });
    const { budget, hand, take, letGo, hasDoubts, recorded, spoolHeld: spool } = this.#engine;
    this.#shards = new Shards({
      ...{ poolKey: KEY, memory: this.#memory, log, budget, hand, take, spool, letGo },
      ...{ hasDoubts, recorded },
      bus: () => this.#bus() as never,
      fence: async () => ({ unconfirmed: [] }),
      incarnations: LASTING,
    });
    this.#engine.start();
  }

  obey(assignment: Assignment): void {
    this.#fleet.setAssignment(assignment);
    this.#engine.assignmentChanged(true);
    this.#shards.follow(this.#engine.duties, CLASSES);
  }

  statement() {
    return this.#engine.statement(this.#shards.held());
  }

  /** Every attempt that it has under way is before its final dot: cut off, it comes to nothing. */
  get hasNoResults(): boolean {
    return this.statement().inFlight === this.#world.sends.filter(({ of }) => of === this).length;
  }

  /** What it has acknowledged is known to the next owner, though it ends at once. */
  async writeMemory(): Promise<void> {
    const { chunks } = this.#world;
    let isOpen = true;
    void this.#memory.flush(0).finally(() => {
      isOpen = false;
    });
    while (isOpen) {
      const at = chunks.findIndex(({ of }) => of === this);
      if (at >= 0) chunks.splice(at, 1)[0]?.go('done', 0);
      await Promise.resolve();
    }
  }

  /** Ends it: as a kill does, or at the end of a test. */
  kill(): void {
    this.#isAlive = false;
    for (const queue of this.#world.queues)
      for (const one of queue.filter(({ of }) => of === this)) queue.splice(queue.indexOf(one), 1);
    this.#shards.stop();
    void this.#engine.stop(0);
    void this.#memory.stop(0);
  }

  #bus() {
    const { stream, confirms } = this.#world;
    const say = (reply: string, payload: string) => {
      if (this.#isAlive) stream.said(Number(reply), payload);
    };
    const get = async (_: string, priorityClass: string) => ({
      fetch: async ({ max_messages: max, expires }: { max_messages: number; expires: number }) =>
        stream.fetch(priorityClass, max, expires),
      info: async () => ({ created: '2026-01-01T00:00:00Z' }),
    });
    const request = (reply: string, payload: string) => this.#asked(confirms, () => say(reply, payload));
    return { js: { consumers: { get } }, nc: { request, publish: say } };
  }

  /** A question whose outcome the test decides. */
  #asked(queue: Waiting[], carryOut: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (fate: Fate) => {
        if (fate !== 'refused') carryOut();
        if (fate === 'done') resolve();
        else reject(new Error('no answer'));
      };
      if (this.#isAlive) queue.push({ of: this, go });
    });
  }

  #send({ hopId, provider }: Task): Promise<AttemptResult> {
    const { taken, sends } = this.#world;
    const held = this.#engine.hand.get(hopId)?.parcel ?? this.#volume.model.parcels.get(hopId)?.parcel;
    return new Promise((resolve) => {
      const go = (_: Fate, pick: number) => {
        const verdict = VERDICTS[pick % VERDICTS.length] as Verdict;
        if (verdict.kind === 'reply' && verdict.reply.startsWith('250') && held)
          taken.set(held.id, (taken.get(held.id) ?? 0) + 1);
        resolve({ verdicts: [verdict], source: null, provider, host: null });
      };
      if (this.#isAlive) sends.push({ of: this, go });
    });
  }
}

export function idsIn(chunks: readonly Buffer[]): IdSet {
  const ids = new IdSet();
  for (const chunk of chunks.map(decodeChunk))
    for (let at = 0; at < chunk.length; at += ID_BYTES) ids.add(chunk, at);
  return ids;
}
