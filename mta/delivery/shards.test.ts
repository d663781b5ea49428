import { log } from '../../process/log.ts';
import type { HopId } from '../message/parcel.ts';
import { Budget } from './budget.ts';
import { Hand } from './hand.ts';
import { LASTING } from './incarnation.fixture.ts';
import type { Duties } from './ownership.ts';
import type { MailMessage } from './ports.ts';
import { Shards } from './shards.ts';

const SHARD = 0;
const duties = (isReleasing: boolean): Duties => ({
  ...{ cordoned: isReleasing, handOver: false, shareWith: null, epochs: '' },
  shards: isReleasing ? [] : [{ shard: SHARD, epoch: 1, fences: [] }],
  releasing: new Set(isReleasing ? [SHARD] : []),
});

test('a drain that is cancelled and begun again: the shard is held until the memory of the second is written', async () => {
  const flushes: PromiseWithResolvers<void>[] = [];
  const asked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const hand = new Hand();
  const shards = new Shards({
    ...{ bus: () => ({}) as never, poolKey: 'mail_main' as never, log, hand },
    budget: new Budget(1, () => false),
    memory: {
      load: async () => false,
      forget: () => {},
      flush: () => {
        const flush = Promise.withResolvers<void>();
        asked[flushes.push(flush) - 1]?.resolve();
        return flush.promise;
      },
    },
    ...{
      take: () => false,
      spool: async () => {},
      letGo: () => {},
      recorded: async () => {},
      hasDoubts: () => false,
    },
    fence: async () => ({ unconfirmed: [] }),
    incarnations: LASTING,
  });
  const follow = (isReleasing: boolean) => shards.follow(duties(isReleasing), ['bulk']);
  follow(false);
  follow(true);
  await asked[0]?.promise;
  // Cancelled while the memory is being written; more is pulled, and the drain begins again.
  follow(false);
  const message = { data: new Uint8Array(), sequence: 1 } as unknown as MailMessage;
  const held = hand.add('h1' as HopId, SHARD, message, null, 0);
  follow(true);
  flushes[0]?.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  // Its acknowledgement is confirmed: its id is not with the next owner yet.
  hand.remove(held);
  expect(shards.held()).toEqual([{ shard: SHARD, epoch: 1, unacknowledged: 0 }]);
  await asked[1]?.promise;
  expect(shards.held()).toHaveLength(1);
  flushes[1]?.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(shards.held()).toEqual([]);
});
