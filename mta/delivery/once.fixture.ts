// Two delivery pods and one shard without a network: real processes of delivery (once-process.fixture.ts) over a stream, volumes and a mail server
// whose every answer a test gives, in any order, or loses.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TRANSFER_CLASS } from '../bus/names.ts';
import type { Assignment, ShardAssignment } from '../bus/snapshot.ts';
import { encodeParcel, type Parcel } from '../message/parcel.ts';
import { parcelOf } from '../spool/fixtures.ts';
import { encodeChunk, packId } from './memory/chunk.ts';
import { Process } from './once-process.fixture.ts';
import { Stream } from './once-stream.fixture.ts';
import { Volume, type Waiting } from './once-volume.fixture.ts';

/** A pod's name and volume stay; its process has the UID of its latest incarnation. */
interface Pod {
  readonly name: string;
  readonly volume: Volume;
  process: Process;
}

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
  readonly queues = [this.confirms, this.sends, this.chunks, this.publishes];
  now = 1_700_000_100_000;
  /** Publishes that went back to the shard with copies in doubt. */
  givenBack = 0;
  /** By processes that were killed. */
  #handedOver = 0;
  #incarnations = 1;
  /** What the process before had been given, by its place in the stream: the shard stays until it has come again. */
  #settling: readonly number[] = [];
  assignment: Assignment;

  constructor() {
    this.pods = ['a', 'b'].map((name) => {
      const volume = new Volume(() => this.now);
      return { name, volume, process: new Process(this, volume, name, `${name}-1`) };
    });
    const [first] = this.pods as [Pod, Pod];
    const shard = { shard: 0, epoch: 1, owner: owner(first), releasing: false, former: null };
    this.assignment = {
      version: 1,
      pool: 'mail/main',
      revision: 1,
      members: this.#members(null),
      shards: [shard],
    };
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

  /** What a pod publishes: handed over, or given back under an id that no hop has. */
  publish(data: Uint8Array, id: string): void {
    if (id.includes('-')) this.givenBack++;
    this.stream.publish(data, TRANSFER_CLASS, id);
  }

  get shard(): ShardAssignment {
    const [shard] = this.assignment.shards;
    if (!shard) throw new Error('there is one shard');
    return shard;
  }

  get owner(): Pod {
    return this.pods.find(({ process }) => process.uid === this.shard.owner?.uid) as Pod;
  }

  /** Asks the owner to give the shard up; with `drain` it is also cordoned, and hands its spool over afterwards. */
  release(drain: boolean): void {
    if (this.shard.releasing || this.#settling.some((seq) => this.stream.stored.has(seq))) return;
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
    const said = from.process.statement();
    if (!shard.releasing || said.assignmentRevision !== this.assignment.revision || said.held.length > 0)
      return;
    const to = this.pods.find((pod) => pod !== from) as Pod;
    const next = { ...shard, epoch: shard.epoch + 1, owner: owner(to), releasing: false };
    this.#write({
      members: this.assignment.members.map((one) => ({ ...one, handOver: one.cordoned })),
      shards: [{ ...next, former: { uid: from.process.uid, stated: true } }],
    });
  }

  /** Ends a drain, wherever it stands: the shard stays with whom it is. */
  cancel(): void {
    const members = this.assignment.members.map((one) => ({ ...one, cordoned: false, handOver: false }));
    this.#write({ members, shards: [{ ...this.shard, releasing: false }] });
  }

  /**
   * The pod's process is killed at once, its commits under way being on the disk up to some point; a successor comes up on its volume, and the
   * shard goes to that one, or to the other pod. Not while it has results that are recorded nowhere: those are repeated, and nothing
   * can be done about it.
   */
  async replace(pod: Pod, staysThere: boolean, pick: number): Promise<void> {
    await pod.process.writeMemory();
    if (!pod.process.hasNoResults) return;
    const { uid } = pod.process;
    // An acknowledgement may still be carried out, with nobody there to hear so.
    if (pick % 2) this.confirms.find(({ of }) => of === pod.process)?.go('lost', 0);
    this.#handedOver += pod.process.statement().handedOver;
    pod.process.kill();
    pod.volume.crash(pick % (pod.volume.commits.length + 1));
    // An end that only the volume knew is repeated elsewhere (docs/hand-overs.md), and nothing can be done about it either.
    this.memory.push(encodeChunk([...pod.volume.model.finished.keys()].map(packId)));
    pod.process = new Process(this, pod.volume, pod.name, `${pod.name}-${++this.#incarnations}`);
    const { shard } = this;
    const heir = staysThere ? pod : (this.pods.find((one) => one !== pod) as Pod);
    const taken = { ...shard, epoch: shard.epoch + 1, owner: owner(heir), releasing: false };
    const wasOwner = shard.owner?.uid === uid;
    const given = [...this.stream.stored.values()].filter(({ deliveries }) => deliveries > 0);
    if (wasOwner) this.#settling = given.map(({ seq }) => seq);
    const shards = [wasOwner ? { ...taken, former: { uid, stated: false } } : shard];
    this.#write({ members: this.#members(wasOwner ? heir : null), shards });
  }

  /** As they are, with their present UIDs; who is given the shard is not drained any more. */
  #members(heir: Pod | null): Assignment['members'] {
    return this.pods.map((pod) => {
      const before = this.assignment?.members.find((one) => one.pod === pod.name);
      const { cordoned, handOver } = (pod !== heir && before) || { cordoned: false, handOver: false };
      return { pod: pod.name, uid: pod.process.uid, cordoned, handOver };
    });
  }

  tell(): void {
    for (const { process } of this.pods) process.obey(this.assignment);
  }

  #write(change: Partial<Assignment>): void {
    this.assignment = { ...this.assignment, ...change, revision: this.assignment.revision + 1 };
    this.tell();
  }

  /** Parcels handed over by all processes that there were. */
  get handedOver(): number {
    return this.pods.reduce((sum, { process }) => sum + process.statement().handedOver, this.#handedOver);
  }

  /** Nothing of any mail is anywhere any more. */
  get isEmpty(): boolean {
    return this.stream.stored.size === 0 && this.pods.every(isEmpty);
  }

  end(): void {
    for (const { process } of this.pods) process.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const owner = ({ name, process: { uid } }: Pod) => ({ pod: name, uid, node: 'n' });

function isEmpty({ process }: Pod): boolean {
  const { unacknowledged, inFlight, spool } = process.statement();
  return unacknowledged + inFlight + spool.entries === 0;
}
