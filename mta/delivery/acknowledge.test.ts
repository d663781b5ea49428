import { log } from '../../process/log.ts';
import type { HopId } from '../message/parcel.ts';
import { hopIdOf, parcelOf } from '../spool/fixtures.ts';
import { ModelSpool } from '../spool/model.ts';
import type { Spool } from '../spool/port.ts';
import { Acknowledger } from './acknowledge.ts';
import { Hand } from './hand.ts';
import type { MailMessage } from './ports.ts';

test('of a bundle only the ids whose copy or end is here are remembered for the next owner', async () => {
  const [held, finished, inHand, onItsWay] = [1, 2, 3, 4].map(hopIdOf) as [HopId, HopId, HopId, HopId];
  const model = new ModelSpool();
  model.apply({ kind: 'put', parcel: parcelOf(1) }, 0);
  model.apply({ kind: 'finished', hopId: finished, at: 0 }, 0);
  const spool = {
    parcel: (hopId: HopId) => model.parcels.get(hopId)?.parcel ?? null,
    // What another bundle is still writing is known already.
    knows: (hopId: HopId) => (hopId === onItsWay ? 'held' : model.knows(hopId, 0)),
  } as unknown as Spool;
  const message = {
    data: Buffer.alloc(0),
    ackAck: async () => true,
    working: () => {},
    nak: () => {},
  } as unknown as MailMessage;
  const hand = new Hand();
  hand.add(inHand, 5, message, parcelOf(3), 0);
  const remembered: string[] = [];
  const left = Promise.withResolvers<void>();
  const memory = { remember: (shard: number, hopId: HopId) => void remembered.push(`${shard} ${hopId}`) };
  const clock = { now: () => 0, monotonic: () => 0 };
  const doubts = { add: () => {}, has: () => false };
  const acknowledger = new Acknowledger({ hand, spool, memory, doubts, clock, log, released: left.resolve });
  const carries = [held, finished, inHand, onItsWay];
  acknowledger.afterSpooling(hand.addBundle('bundle' as HopId, carries, 5, message, 0));
  await left.promise;
  expect(remembered).toEqual([`5 ${held}`, `5 ${finished}`]);
});

describe('a copy that is marked in the spool', () => {
  const hopId = hopIdOf(1);
  const pulled = { shard: 5, epoch: 1, uid: 'u', at: 0, hopIds: [hopId] };
  /** One that is being acknowledged, with what is then said of it in order. */
  function acknowledging(ackAck: () => Promise<boolean>) {
    const model = new ModelSpool();
    model.apply({ kind: 'put', parcel: parcelOf(1) }, 0);
    const said: string[] = [];
    let written = () => {};
    const spool = {
      parcel: (id: HopId) => model.parcels.get(id)?.parcel ?? null,
      knows: (id: HopId) => model.knows(id, 0),
      note: (_: unknown, then: () => void) => {
        said.push('noted');
        written = then;
      },
    } as unknown as Spool;
    const hand = new Hand();
    const message = { data: Buffer.alloc(0), ackAck } as unknown as MailMessage;
    const held = hand.add(hopId, 5, message, parcelOf(1), 0);
    const acknowledger = new Acknowledger({
      ...{ hand, spool, log, clock: { now: () => 0, monotonic: () => 0 }, released: () => said.push('left') },
      memory: { remember: () => void said.push('remembered') },
      doubts: { add: () => void said.push('in doubt'), has: () => false },
    });
    acknowledger.mark(held, pulled);
    return { acknowledger, held, said, written: () => written() };
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  test('is in the memory of its shard only after its mark is gone from the disk', async () => {
    const { acknowledger, held, said, written } = acknowledging(async () => true);
    acknowledger.afterSpooling(held);
    await settled();
    expect(said).toEqual(['left', 'noted']);
    written();
    expect(said).toEqual(['left', 'noted', 'remembered']);
  });

  test('is in doubt when its shard is taken away, though a confirmation still comes', async () => {
    const answer = Promise.withResolvers<boolean>();
    const { acknowledger, held, said } = acknowledging(() => answer.promise);
    acknowledger.afterSpooling(held);
    acknowledger.abandon(held);
    answer.resolve(true);
    await settled();
    expect(said).toEqual(['left', 'in doubt']);
  });
});

test.each([
  ['is gone', true, 1],
  ['is there', false, 0],
])('what cannot be written goes back to its stream only while that exists: it %s', (_, isGone, left) => {
  const said: number[] = [];
  const nak = (ms: number) => void said.push(ms);
  const message = { data: Buffer.alloc(0), isGone, nak, working: () => {} } as unknown as MailMessage;
  const hand = new Hand();
  const held = hand.add(hopIdOf(1), 5, message, parcelOf(1), 0);
  const clock = { now: () => 0, monotonic: () => 0 };
  const acknowledger = new Acknowledger({
    ...{ hand, clock, log, spool: {} as Spool, memory: { remember: () => {} }, released: () => {} },
    doubts: { add: () => {}, has: () => false },
  });
  expect(acknowledger.giveBack(held, 5000)).toBe(!isGone);
  expect(hand.size).toBe(left);
  expect(said).toEqual(isGone ? [] : [5000]);
  // What is another owner's is let go in any case.
  acknowledger.giveBack(held, null);
  expect(hand.size).toBe(0);
});
