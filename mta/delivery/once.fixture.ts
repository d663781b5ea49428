// Two delivery pods and one shard without a network: the real engine, shards, pulls, hand-over and memory over a stream, spools and a mail server
// whose every answer a test gives, in any order, or loses.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { log } from '../../process/log.ts';
import { poolKey, TRANSFER_CLASS } from '../bus/names.ts';
import type { Assignment } from '../bus/snapshot.ts';
import { encodeParcel, type Parcel } from '../message/parcel.ts';
import { parcelOf } from '../spool/fixtures.ts';
import { Engine } from './engine.ts';
import { Fleet } from './fleet.ts';
import { LASTING } from './incarnation.fixture.ts';
import { decodeChunk, ID_BYTES } from './memory/chunk.ts';
import { IdSet } from './memory/id-set.ts';
import { ShardMemory } from './memory/memory.ts';
import { Stream } from './once-stream.fixture.ts';
import { type Fate, Volume, type Waiting } from './once-volume.fixture.ts';
import type { AttemptResult, Task, Verdict } from './ports.ts';
import { Shards } from './shards.ts';
import { POLICY, poolValue } from './values.fixture.ts';

export const CLASSES = ['bulk'];
const KEY = poolKey('mail/main');

const VERDICTS: readonly Verdict[] = [
  { kind: 'reply', reply: '250 ok', phase: 'dot' },
  { kind: 'reply', reply: '450 4.2.0 later', phase: 'rcpt' },
  { kind: 'reply', reply: '451 4.3.2 not now', phase: 'rcpt' },
  { kind: 'failed', why: 'no connection' },
  { kind: 'noRoom', retryAfterSeconds: 1, why: 'full' },
];

export class World {
  readonly stream = new Stream();
  readonly confirms: Waiting[] = [];
  readonly sends: Waiting[] = [];
  readonly chunks: Waiting[] = [];
  readonly publishes: Waiting[] = [];
  readonly memory: Buffer[] = [];
  /** How often each accepted mail was taken by a mail server, by its parcel's id. */
  readonly taken = new Map<string, number>();
  readonly submitted: Parcel[] = [];
  readonly pods: readonly Pod[];
  readonly folder = mkdtempSync(join(tmpdir(), 'postfleet-once-'));
  now = 1_700_000_100_000;
  assignment: Assignment;

  constructor() {
    this.pods = ['a', 'b'].map((name) => new Pod(this, name));
    const members = this.pods.map(({ name }) => ({ pod: name, uid: name, cordoned: false, handOver: false }));
    const shard = { shard: 0, epoch: 1, owner: owner('a'), releasing: false, former: null };
    this.assignment = { version: 1, pool: 'mail/main', revision: 1, members, shards: [shard] };
    this.tell();
  }

  submit(): void {
    const parcel = parcelOf(this.submitted.length + 1, { acceptedAt: this.now });
    this.submitted.push(parcel);
    this.stream.publish(encodeParcel(parcel), 'bulk', parcel.hopId);
  }

  /** A client repeats a message, after NATS has lost what it knew. */
  repeat(pick: number): void {
    const parcel = this.submitted[pick % Math.max(1, this.submitted.length)];
    this.stream.window.clear();
    if (parcel) this.stream.publish(encodeParcel(parcel), 'bulk', parcel.hopId);
  }

  get shard() {
    const [shard] = this.assignment.shards;
    if (!shard) throw new Error('there is one shard');
    return shard;
  }

  get owner(): Pod {
    return this.pods.find(({ name }) => name === this.shard.owner?.uid) as Pod;
  }

  /** Asks the owner to give the shard up; with `drain` it is also cordoned, and hands its spool over afterwards. */
  release(drain: boolean): void {
    if (this.shard.releasing) return;
    const { uid } = this.shard.owner ?? {};
    this.#write({
      members: this.assignment.members.map((one) => ({
        ...one,
        cordoned: drain && one.uid === uid,
        handOver: false,
      })),
      shards: [{ ...this.shard, releasing: true }],
    });
  }

  /** What the operator does at each look: the next owner, once the present one states that it holds nothing. */
  operate(): void {
    const { shard, owner: from } = this;
    const said = from.statement();
    if (!shard.releasing || said.assignmentRevision !== this.assignment.revision || said.held.length > 0)
      return;
    const to = this.pods.find((pod) => pod !== from) as Pod;
    const next = { ...shard, epoch: shard.epoch + 1, owner: owner(to.name), releasing: false };
    this.#write({
      members: this.assignment.members.map((one) => ({ ...one, handOver: one.cordoned })),
      shards: [{ ...next, former: { uid: from.name, stated: true } }],
    });
  }

  /** Ends a drain, wherever it stands: the shard stays with whom it is. */
  cancel(): void {
    const members = this.assignment.members.map((one) => ({ ...one, cordoned: false, handOver: false }));
    this.#write({ members, shards: [{ ...this.shard, releasing: false }] });
  }

  tell(): void {
    for (const pod of this.pods) pod.obey(this.assignment);
  }

  #write(change: Partial<Assignment>): void {
    this.assignment = { ...this.assignment, ...change, revision: this.assignment.revision + 1 };
    this.tell();
  }

  /** Nothing of any mail is anywhere any more. */
  get isEmpty(): boolean {
    return this.stream.stored.size === 0 && this.pods.every(({ isEmpty }) => isEmpty);
  }

  end(): void {
    for (const pod of this.pods) pod.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const owner = (name: string) => ({ pod: name, uid: name, node: 'n' });

class Pod {
  readonly name: string;
  readonly volume: Volume;
  readonly #world: World;
  readonly #fleet: Fleet;
  readonly #engine: Engine;
  readonly #shards: Shards;
  readonly #memory: ShardMemory;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    const clock = { now: () => world.now, monotonic: () => world.now };
    this.volume = new Volume(clock.now);
    this.#fleet = new Fleet(join(world.folder, name), log);
    this.#fleet.setPool({
      ...poolValue,
      version: 1,
      shards: 1,
      classes: [{ name: 'bulk', weight: 1 }],
      policy: POLICY,
    });
    this.#memory = new ShardMemory({
      ...{ monotonic: clock.monotonic, log, obstacle: () => {} },
      write: (_, chunk) => asked(world.chunks, () => void world.memory.push(chunk)),
      read: async () => {
        const ids = new IdSet();
        for (const chunk of world.memory.map(decodeChunk))
          for (let at = 0; at < chunk.length; at += ID_BYTES) ids.add(chunk, at);
        return ids;
      },
    });
    this.#engine = new Engine({
      ...{ pod: name, uid: name, pool: 'mail/main', clock, log, registry: new Registry() },
      spool: this.volume.spool(),
      memory: this.#memory,
      fleet: this.#fleet,
      sender: {
        send: (task) => this.#send(task),
        stop: async () => {},
        rest: () => {},
        connections: () => [],
      },
      publish: (_, data, id) =>
        asked(world.publishes, () => world.stream.publish(data, TRANSFER_CLASS, id ?? '')),
      lookupMx: async () => ({ kind: 'hosts', hosts: [{ host: 'mx.test', preference: 1 }] }),
      suppressed: async (pairs) => pairs.map(() => false),
      random: () => 0.5,
      obstacle: () => {},
    });
    const { budget, hand, take, letGo, spoolHeld } = this.#engine;
    this.#shards = new Shards({
      ...{ poolKey: KEY, budget, hand, memory: this.#memory, log, take, spool: spoolHeld, letGo },
      bus: () => this.#bus() as never,
      fence: async () => ({ unconfirmed: [] }),
      incarnations: LASTING,
    });
    this.#engine.start();
  }

  obey(assignment: Assignment): void {
    this.#fleet.setAssignment(assignment);
    this.#engine.assignmentChanged();
    this.#shards.follow(this.#engine.duties, CLASSES);
  }

  statement() {
    return this.#engine.statement(this.#shards.held());
  }

  get isEmpty(): boolean {
    const { unacknowledged, inFlight, spool } = this.statement();
    return unacknowledged + inFlight + spool.entries === 0;
  }

  end(): void {
    this.#shards.stop();
    void this.#engine.stop(0);
    void this.#memory.stop(0);
  }

  #bus() {
    const { stream, confirms } = this.#world;
    const get = async (_: string, priorityClass: string) => ({
      fetch: async ({ max_messages: max, expires }: { max_messages: number; expires: number }) =>
        stream.fetch(priorityClass, max, expires),
      info: async () => ({ created: '2026-01-01T00:00:00Z' }),
    });
    const nc = {
      request: (reply: string, payload: string) => asked(confirms, () => stream.said(Number(reply), payload)),
      publish: (reply: string, payload: string) => stream.said(Number(reply), payload),
    };
    return { js: { consumers: { get } }, nc };
  }

  #send({ hopId, provider }: Task): Promise<AttemptResult> {
    const { taken, sends } = this.#world;
    const held = this.#engine.hand.get(hopId)?.parcel ?? this.volume.model.parcels.get(hopId)?.parcel;
    return new Promise((resolve) => {
      const go = (_: Fate, pick: number) => {
        const verdict = VERDICTS[pick % VERDICTS.length] as Verdict;
        if (verdict.kind === 'reply' && verdict.reply.startsWith('250') && held)
          taken.set(held.id, (taken.get(held.id) ?? 0) + 1);
        resolve({ verdicts: [verdict], source: null, provider, host: null });
      };
      sends.push({ go });
    });
  }
}

/** A question whose outcome the test decides. */
function asked(queue: Waiting[], carryOut: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const go = (fate: Fate) => {
      if (fate !== 'refused') carryOut();
      if (fate === 'done') resolve();
      else reject(new Error('no answer'));
    };
    queue.push({ go });
  });
}
