import type { Assignment } from '../bus/snapshot.ts';
import { type HopId, type ParcelId, type Recipient, shardOf } from '../message/parcel.ts';
import { parcelOf } from '../spool/fixtures.ts';
import type { HeldParcel } from '../spool/port.ts';
import { dutiesOf } from './ownership.ts';
import { Sharing } from './sharing.ts';

const NOW = 1000;
const recipient = (over: Partial<Recipient> = {}): Recipient => ({
  ...{ address: 'a@x.test', attempts: 1, dueAt: NOW, lastReply: '450 later', stickySource: null },
  ...over,
});
const idOf = (shard: number) => `0000000${shard}${'0'.repeat(24)}` as ParcelId;

function shares(recipients: readonly Recipient[], shard = 3, inHand = false): boolean {
  const { message: _, ...header } = parcelOf(1, { id: idOf(shard), recipients });
  const parcel: HeldParcel = { header, messageBytes: 1, moving: null };
  const sharing = new Sharing({
    spool: { entriesOf: (hopId) => recipients.map((one, index) => ({ hopId, index, recipient: one })) },
    hand: { get: () => (inHand ? ({} as never) : undefined) },
    clock: { now: () => NOW },
    shards: () => 8,
    hasRoom: (domain) => domain !== 'full.test',
  });
  expect(shardOf(header.id, 8)).toBe(shard);
  return sharing.with(new Set([3, 4]))('h' as HopId, parcel);
}

test.each<[string, boolean, Parameters<typeof shares>]>([
  ['ready, of a shard of others', true, [[recipient(), recipient({ dueAt: null })]]],
  ['of a shard of its own', false, [[recipient()], 5]],
  ['one of its recipients waits for its due time', false, [[recipient(), recipient({ dueAt: NOW + 1 })]]],
  ['one is at a site without room', false, [[recipient(), recipient({ address: 'b@full.test' })]]],
  ['one only owes a bounce', false, [[recipient({ lastReply: '!bounced 550 no' })]]],
  ['it is not acknowledged yet', false, [[recipient()], 3, true]],
  ['nothing is left of it', false, [[]]],
])('a parcel is shared: %s: %s', (_, is, given) => {
  expect(shares(...given)).toBe(is);
});

describe('with whom', () => {
  const owner = (n: number) => ({ pod: `p-${n}`, uid: `u${n}`, node: 'n' });
  const assignment = (over: { share?: true; cordoned?: boolean; peerCordoned?: boolean }): Assignment => ({
    ...{ version: 1, pool: 'mail/demo', revision: 1 },
    members: [
      { ...owner(0), cordoned: over.cordoned ?? false, handOver: false, ...(over.share && { share: true }) },
      { ...owner(1), cordoned: over.peerCordoned ?? false, handOver: false },
    ],
    shards: [0, 1, 1, null].map((n, shard) => ({
      ...{ shard, epoch: 1, owner: n === null ? null : owner(n), releasing: shard === 2, former: null },
    })),
  });
  test.each([
    ['the shards that others have and keep', { share: true as const }, [1]],
    ['nobody without being asked', {}, null],
    ['nobody when it leaves: then all goes', { share: true as const, cordoned: true }, null],
    ['no pod that leaves', { share: true as const, peerCordoned: true }, []],
  ])('%s', (_, over, shards) => {
    const { shareWith } = dutiesOf(assignment(over), 'u0');
    expect(shareWith && [...shareWith]).toEqual(shards);
  });
});
