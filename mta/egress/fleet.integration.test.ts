// What egress knows of the fleet over a real nats-server, when its watch has fallen deaf and when the bucket is not the one it was.
import { Kvm } from '@nats-io/kv';
import { connectTo } from '../../e2e/rig/bus.ts';
import { type Nats, startNats, until } from '../../e2e/rig/servers.ts';
import type { Bus } from '../bus/client.ts';
import { falling } from '../bus/deaf.fixture.ts';
import { followKeys } from '../bus/follow.ts';
import { FLEET_BUCKET, type PoolKey, poolSnapshotKey } from '../bus/names.ts';
import { Fleet } from './fleet.ts';

const ASK_AGAIN_MS = 300;
const [MAIN, OTHER] = ['mail_main', 'mail_other'] as PoolKey[] as [PoolKey, PoolKey];
let nats: Nats;
let bus: Bus;
let end: AbortController;
let following: Promise<void>;

beforeAll(async () => {
  nats = await startNats();
  bus = await connectTo(nats, 'egress');
}, 60_000);
beforeEach(async () => {
  await makeBucket();
  end = new AbortController();
});
afterEach(async () => {
  end.abort();
  await following;
  await bucket().then((kv) => kv.destroy());
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

const bucket = () => bus.kv(FLEET_BUCKET);
const makeBucket = () => new Kvm(bus.js).create(FLEET_BUCKET);
const put = async (key: string, shards: number) =>
  (await bucket()).put(key, JSON.stringify({ version: 1, shards }));
const ipPool = () => put('ippool.mail_ips', 0);
const pool = (key: PoolKey, shards: number) => put(poolSnapshotKey(key), shards);

/** A fleet that has read what the bucket has now. */
async function follow(isDeaf: (nth: number) => boolean = () => false) {
  const fleet = new Fleet('mail/ips');
  let watches = 0;
  const open = falling(bus, (nth) => {
    watches = nth + 1;
    return isDeaf(nth);
  });
  following = followKeys(
    () => open(FLEET_BUCKET),
    {
      keys: fleet.keys,
      apply: (entry) => fleet.apply(entry.key, entry.operation === 'PUT' ? entry.json() : null),
      passed: (keys) => fleet.keepOnly(keys),
      failed: () => {},
    },
    end.signal,
    ASK_AGAIN_MS,
  );
  const shards = (key: PoolKey) => fleet.pools.get(key)?.shards;
  await until('the first pass', () => shards(MAIN) !== undefined);
  return { fleet, shards, watches: () => watches };
}

test('what changed while the watch was deaf is seen by the next: new values, new pools, pools that are gone', async () => {
  await Promise.all([ipPool(), pool(MAIN, 1), pool('mail_gone' as PoolKey, 1)]);
  let deaf = false;
  const { fleet, shards } = await follow((nth) => deaf && nth === 0);
  await until('all', () => fleet.pools.size === 2);
  deaf = true;
  await Promise.all([pool(MAIN, 2), pool(OTHER, 3)]);
  // Not a delete, which a later watch would still be told.
  await (await bus.manager()).streams.purge(`KV_${FLEET_BUCKET}`, {
    filter: `$KV.${FLEET_BUCKET}.pool.mail_gone`,
  });
  await until('the changes', () => shards(MAIN) === 2 && shards(OTHER) === 3);
  await until('the end of the pool that is gone', () => fleet.pools.size === 2);
});

test('a bucket that was wiped and counts anew is followed', async () => {
  await ipPool();
  for (let n = 0; n < 50; n++) await pool(MAIN, n);
  const { shards } = await follow();
  await until('the last', () => shards(MAIN) === 49);
  await (await bucket()).destroy();
  await makeBucket();
  await Promise.all([ipPool(), pool(MAIN, 100)]);
  await until('what is in the new one', () => shards(MAIN) === 100);
});

test('while a bucket is being filled again, the last good values stay', async () => {
  await Promise.all([ipPool(), pool(MAIN, 1), pool(OTHER, 1)]);
  const { fleet, shards, watches } = await follow();
  await until('both', () => fleet.pools.size === 2);
  await (await bucket()).destroy();
  await makeBucket();
  await pool(MAIN, 2);
  await until('the new value', () => shards(MAIN) === 2);
  const before = watches();
  await until('two whole passes', () => watches() >= before + 2);
  expect([fleet.ipPool !== null, shards(OTHER)]).toEqual([true, 1]);
  await ipPool();
  await until('the end of what has not come back', () => shards(OTHER) === undefined);
});

test('an end does not wait for a deaf watch', async () => {
  await pool(MAIN, 1);
  let deaf = false;
  await follow(() => deaf);
  deaf = true;
  end.abort();
  await following;
});
