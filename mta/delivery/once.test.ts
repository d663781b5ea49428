// Exactly once, as long as no process dies between a final dot and its record: whatever is lost, late, repeated or in another order, while
// the shard moves between two pods, drains hand spools over and are cancelled, and NATS forgets what it knew.
import { jest } from '@jest/globals';
import fc from 'fast-check';
import { World } from './once.fixture.ts';
import type { Fate, Waiting } from './once-volume.fixture.ts';

const OF = [
  ...[
    'submit',
    'submit',
    'repeat',
    'deliver',
    'deliver',
    'deliver',
    'expire',
    'tick',
    'tick',
    'operate',
    'operate',
  ],
  ...[
    'send',
    'send',
    'commit',
    'commit',
    'commit',
    'confirm',
    'confirm',
    'confirm',
    'chunk',
    'chunk',
    'publish',
    'publish',
  ],
  ...['release', 'drain', 'drain', 'drain', 'cancel', 'calm', 'calm', 'replace'],
] as const;
const step = fc.record({
  of: fc.constantFrom(...OF),
  fate: fc.constantFrom<Fate>('done', 'done', 'lost', 'refused'),
  pick: fc.nat(1000),
});
type Step = { readonly of: (typeof OF)[number]; readonly fate: Fate; readonly pick: number };

async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn++) await Promise.resolve();
}

async function advance(world: World, ms: number): Promise<void> {
  world.now += ms;
  await jest.advanceTimersByTimeAsync(ms);
}

const answer = (queue: Waiting[], fate: Fate, pick: number, at = pick): void =>
  queue.splice(at % Math.max(1, queue.length), 1)[0]?.go(fate, pick);

async function run(world: World, { of, fate, pick }: Step): Promise<void> {
  const { stream } = world;
  if (of === 'submit') world.submit();
  else if (of === 'repeat') world.repeat(pick);
  else if (of === 'deliver') stream.deliver(pick);
  else if (of === 'expire') stream.expire(pick);
  else if (of === 'tick') await advance(world, 700);
  else if (of === 'operate') world.operate();
  else if (of === 'send') answer(world.sends, fate, pick);
  // A volume takes its commits in order.
  // A disk never says too little: what is written is known to be.
  else if (of === 'commit')
    answer(world.pods[pick % 2]?.volume.commits ?? [], fate === 'lost' ? 'done' : fate, pick, 0);
  else if (of === 'confirm') answer(world.confirms, fate, pick);
  else if (of === 'chunk') answer(world.chunks, fate, pick);
  else if (of === 'publish') answer(world.publishes, fate, pick);
  else if (of === 'replace') await replace(world, fate, pick);
  else if (of === 'calm') await calm(world);
  else if (of === 'cancel') world.cancel();
  else world.release(of === 'drain');
}

/** For a moment what concerns neither mail servers nor transfers goes well, and the operator looks: a shard that is released moves. */
async function calm(world: World): Promise<void> {
  for (let round = 0; round < 4; round++) {
    for (const pod of world.pods) while (pod.volume.commits.length > 0) answer(pod.volume.commits, 'done', 0);
    for (const queue of [world.confirms, world.chunks]) while (queue.length > 0) answer(queue, 'done', 0);
    await settle();
    await advance(world, 100);
    world.operate();
  }
}

/** One of the pods is killed and comes up again, in half of the cases without its shard. */
async function replace(world: World, fate: Fate, pick: number): Promise<void> {
  const pod = world.pods[pick % 2];
  if (pod) await world.replace(pod, fate === 'done', pick >> 1);
}

/** Everything goes well from now on, until nothing is left. */
async function comeToRest(world: World): Promise<void> {
  for (let round = 0; round < 400 && !world.isEmpty; round++) {
    for (const pod of world.pods) while (pod.volume.commits.length > 0) answer(pod.volume.commits, 'done', 0);
    for (const queue of [world.confirms, world.sends, world.chunks, world.publishes])
      while (queue.length > 0) answer(queue, 'done', 0);
    while (world.stream.deliver(0));
    world.stream.expire(round);
    world.operate();
    await settle();
    await advance(world, 700);
  }
}

test('property: every mail is delivered exactly once', async () => {
  const seen = { repeats: 0, moves: 0, transfers: 0, givenBack: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 60, maxLength: 240 }), async (steps) => {
      jest.useFakeTimers({ doNotFake: ['performance', 'nextTick'] });
      const world = new World();
      try {
        for (const one of steps) {
          await run(world, one);
          await settle();
          expect([...world.taken.values()].filter((count) => count > 1)).toEqual([]);
          if (one.of === 'repeat') seen.repeats++;
        }
        await comeToRest(world);
        expect(world.isEmpty).toBe(true);
        expect([...world.taken.values()]).toEqual(world.submitted.map(() => 1));
        seen.moves += world.shard.epoch - 1;
        seen.transfers += world.handedOver;
        seen.givenBack += world.givenBack;
      } finally {
        world.end();
        jest.clearAllTimers();
        jest.useRealTimers();
      }
    }),
    { numRuns: 250 },
  );
  // It has come across what it is about.
  expect(seen.repeats).toBeGreaterThan(100);
  expect(seen.moves).toBeGreaterThan(50);
  expect(seen.transfers).toBeGreaterThan(20);
  expect(seen.givenBack).toBeGreaterThan(10);
}, 120_000);
