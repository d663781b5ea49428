// A busy pod shares its backlog with one that has little to do: over a real nats-server, real spools, and SMTP servers on loopback.
import { until } from '../../e2e/rig/servers.ts';
import type { Parcel, Recipient } from '../message/parcel.ts';
import { openSpool } from '../spool/lmdb.ts';
import { type Fixture, type Pod, startFixture } from './fixture.ts';
import { POOL } from './values.fixture.ts';

let fixture: Fixture;

beforeAll(async () => {
  fixture = await startFixture();
}, 60_000);
afterEach(() => fixture?.reset(), 60_000);
afterAll(() => fixture?.stop(), 30_000);

const READY = 200;
const OWN = 100;
const LATER = 40;
/** So many of a site wait for their turn in memory, and are not shared. */
const QUEUED = 60;

function parcel(shard: number, to: Partial<Recipient> & { readonly address: string }): Parcel {
  const id = fixture.idOf(shard);
  const recipient: Recipient = {
    attempts: 2,
    dueAt: null,
    lastReply: '451 later',
    stickySource: null,
    ...to,
  };
  return {
    ...{ version: 1, ...id, hop: 0, account: 'acme', pool: POOL, sendingDomain: 'acme.test' },
    ...{ priorityClass: 'bulk', acceptedAt: Date.now(), from: 'sender@acme.test', smtpUtf8: false },
    ...{ isNotification: false, recipients: [recipient], message: Buffer.from('Subject: x\r\n\r\nx\r\n') },
  };
}

const many = (count: number, make: (n: number) => Parcel) => Array.from({ length: count }, (_, n) => make(n));

const assign = (giver: Pod, peer: Pod, share: boolean) =>
  fixture.assign((now) => {
    const { shards } = fixture.allTo(giver);
    const first = now.shards.length === 0;
    const owner = { pod: peer.name, uid: peer.uid, node: 'local' };
    return {
      members: [giver, peer].map(({ name, uid }) => ({
        ...{ pod: name, uid, cordoned: false, handOver: false },
        ...(share && uid === giver.uid && { share: true as const }),
      })),
      shards: first ? shards.map((one) => (one.shard === 1 ? { ...one, owner } : one)) : now.shards,
    };
  });

test('what is ready and of shards of the other goes there once; what waits, and its own, stays and is sent from here', async () => {
  const later = Date.now() + 15_000;
  const parcels = [
    ...many(READY, (n) => parcel(1, { address: `ready${n}@held.test` })),
    ...many(OWN, (n) => parcel(0, { address: `own${n}@held.test` })),
    ...many(LATER, (n) => parcel(1, { address: `later${n}@held.test`, dueAt: later })),
  ];
  const arrived: number[] = [];
  const sink = await fixture.sink('held.test', {
    onRcptTo: ({ address }, _, done) => {
      if (address.startsWith('later')) arrived.push(Date.now());
      done();
    },
  });
  let mayAsk = false;
  const giver = await fixture.pod('a', {
    assign: false,
    openSpool: async (folder) => {
      const spool = await openSpool(folder);
      await spool.commit(parcels.map((one) => ({ kind: 'put', parcel: one })));
      return spool;
    },
    // It sends nothing while this says nothing, so that everything that arrives was shared.
    suppressed: async (pairs) => {
      if (!mayAsk) throw new Error('PostgreSQL is down');
      return pairs.map(() => false);
    },
  });
  const peer = await fixture.pod('b', { assign: false });
  await assign(giver, peer, true);
  await until('the backlog to be shared', () => giver.statement().handedOver >= READY - QUEUED, 30_000);
  await until(
    'it to arrive from the other',
    () => sink.mails.length === giver.statement().handedOver,
    30_000,
  );
  const shared = sink.mails.flatMap(({ to }) => to);
  expect(shared.every((address) => address.startsWith('ready'))).toBe(true);
  expect(giver.statement().spool.entries).toBe(READY + OWN + LATER - shared.length);
  expect(giver.statement().work?.ready).toBeNull();

  await assign(giver, peer, false);
  mayAsk = true;
  await until('all to arrive', () => sink.mails.length === READY + OWN + LATER, 60_000);
  await until('the spools to be empty', () =>
    [giver, peer].every((pod) => pod.statement().spool.entries + pod.statement().unacknowledged === 0),
  );
  expect(new Set(sink.mails.flatMap(({ to }) => to)).size).toBe(READY + OWN + LATER);
  expect(Math.min(...arrived)).toBeGreaterThanOrEqual(later);
  expect(await fixture.stored()).toBe(0);
  expect(await giver.metric('postfleet_possibly_repeated_total')).toBe(0);
  await until('the next count', () => {
    const { work } = giver.statement();
    return work?.ready === 0 && work.limited === 0 && work.waiting === 0;
  });
}, 120_000);
