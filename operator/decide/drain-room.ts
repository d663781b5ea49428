// Whether the others can take what is handed over to them (rule 3). A parcel goes to the owner of its shard, so space at one of them is of no
// use to another: a pod that is filled up to its reserve would stop taking the new mail of its shards. How much of the spool goes to each
// is reckoned from the shards. What a pod has spooled came by the shards that it had, so it goes to whoever has got those; but it may also
// hold mail of earlier owners. Both are reckoned, and the larger part counts.
import type { PoolWorld } from '../observe/world.ts';
import { type Check, type Leaving, refuse } from './drain-checks.ts';

/** Before it begins: free space of so many times the bytes that go there. */
const ROOM_FACTOR = 1.2;
/** Under way: as long as what is left fits. The difference keeps a hand-over from beginning and ending by turns. */
const REST_FACTOR = 1;

interface Receiver {
  readonly pod: string;
  readonly uid: string;
  /** Of the bytes in the spool that is handed over, 0 to 1. */
  readonly part: number;
}

/** Before a hand-over: room at each receiver; one that does not say what it has is no room. */
export const othersHaveRoom: Check = (leaving) => roomRefusal(leaving, ROOM_FACTOR, 0);

/**
 * Under way: room for the rest, or the hand-over is taken back, and the pod delivers the rest itself until there is room. A receiver that does
 * not answer for a moment does not end it.
 */
export const restHasRoom: Check = (leaving) => roomRefusal(leaving, REST_FACTOR, Number.POSITIVE_INFINITY);

function roomRefusal(leaving: Leaving, factor: number, whenSilent: number): ReturnType<Check> {
  const { world, name, statement } = leaving;
  const bytes = statement?.spool.bytes ?? 0;
  if (bytes === 0) return null;
  const receivers = receiversOf(leaving);
  if (receivers.length === 0)
    return refuse('NoRoom', `${name} holds ${bytes} bytes; no other pod has shards`);
  for (const { pod, uid, part } of receivers) {
    const needed = Math.ceil(bytes * part * factor);
    const free = freeBytesOf(world, uid) ?? whenSilent;
    if (free < needed)
      return refuse(
        'NoRoom',
        `${name} holds ${bytes} bytes; ${pod} has ${free} bytes free and ${needed} are needed there`,
      );
  }
  return null;
}

/** Who owns shards of others than the leaving pod, and which part of its spool goes there at most. */
function receiversOf({ world, pod }: Leaving): Receiver[] {
  const shards = world.assignment?.shards.filter(({ owner }) => owner && owner.uid !== pod?.uid) ?? [];
  const gaveUp = shards.filter(({ former }) => former?.uid === pod?.uid);
  const owners = new Map(shards.flatMap(({ owner }) => (owner ? [[owner.uid, owner.pod]] : [])));
  return [...owners].map(([uid, name]) => {
    const partOf = (some: typeof shards) =>
      some.filter(({ owner }) => owner?.uid === uid).length / (some.length || 1);
    return { pod: name, uid, part: Math.max(partOf(shards), partOf(gaveUp)) };
  });
}

/** Free bytes of a pod that may receive: none when it is away, cordoned or not writable; null: it does not answer. */
function freeBytesOf({ pods, readings, assignment }: PoolWorld, uid: string): number | null {
  const pod = pods.find((one) => one.uid === uid);
  const member = assignment?.members.find((one) => one.uid === uid);
  if (!pod?.ready || pod.deleting || !member || member.cordoned) return 0;
  const reading = readings.get(uid);
  if (reading?.kind !== 'statement' || reading.statement.uid !== uid) return null;
  const { writable, freeBytes } = reading.statement.spool;
  return writable ? freeBytes : 0;
}
