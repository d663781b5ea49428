// A pod with a backlog of ready mail beside a pod with nothing to do, at receivers that are slow: how long until all is sent, when it
// stays where it is and when it is shared. Both pods, egress and the receivers are in this process.
//   node bench/share.ts
import { randomUUID } from 'node:crypto';
import { until } from '../e2e/rig/servers.ts';
import { type Pod, startFixture } from '../mta/delivery/fixture.ts';
import type { HopId, Parcel, ParcelId } from '../mta/message/parcel.ts';
import { openSpool } from '../mta/spool/lmdb.ts';
import { recordFigures, rounded } from './figures.ts';
import { enterOwnNetwork } from './namespace.ts';

const PARCELS = 4000;
const DOMAINS = 100;
const ANSWER_MS = 8000;
const STARTED_MS = 10_000;

enterOwnNetwork();
const fixture = await startFixture();
const conditions = `${PARCELS} ready messages to ${DOMAINS} sites that take ${ANSWER_MS / 1000} s for each, in the spool of one of two pods; one process, small messages`;
try {
  const figures = [];
  for (const share of [false, true]) {
    const { seconds, handedOver } = await run(share);
    const figure = share ? 'backlog_shared_seconds' : 'backlog_alone_seconds';
    figures.push({ figure, value: rounded(seconds), unit: 's', conditions });
    if (share) figures.push({ figure: 'backlog_shared_parcels', value: handedOver, unit: '', conditions });
    await fixture.reset();
  }
  recordFigures('share', figures);
} finally {
  await fixture.stop();
}
process.exit(0);

type Known = Pick<Pod, 'name' | 'uid'>;

async function run(share: boolean): Promise<{ seconds: number; handedOver: number }> {
  const names = Array.from({ length: DOMAINS }, (_, n) => `d${n}.test`);
  const onRcptTo = (_: unknown, __: unknown, done: () => void) => void setTimeout(done, ANSWER_MS);
  const sinks = await Promise.all(names.map((name) => fixture.sink(name, { onRcptTo })));
  const [first, second] = ['giver', 'peer'].map((role) => ({ name: `${role}-${share}`, uid: randomUUID() }));
  if (!first || !second) throw new Error('two pods');
  await assign(first, second, share);
  // By then both know who holds the addresses: a site that gives no connection at first is left alone for a while.
  const due = Date.now() + STARTED_MS;
  const giver = await fixture.pod(first.name, {
    ...{ assign: false, uid: first.uid },
    openSpool: async (folder) => {
      const spool = await openSpool(folder);
      const parcels = Array.from({ length: PARCELS }, (_, n) => parcel(n, names[n % DOMAINS] as string, due));
      await spool.commit(parcels.map((one) => ({ kind: 'put', parcel: one })));
      return spool;
    },
  });
  await fixture.pod(second.name, { assign: false, uid: second.uid });
  await until('it to be due', () => Date.now() >= due, 60_000);
  const arrived = () => sinks.reduce((sum, { mails }) => sum + mails.length, 0);
  await until('all to arrive', () => arrived() >= PARCELS, 300_000);
  const seconds = (Date.now() - due) / 1000;
  if (arrived() !== PARCELS) throw new Error(`${arrived()} arrived of ${PARCELS}`);
  return { seconds, handedOver: giver.statement().handedOver };
}

function parcel(n: number, domain: string, dueAt: number): Parcel {
  const id = randomUUID().replaceAll('-', '');
  const address = `u${n}@${domain}`;
  return {
    ...{ version: 1, id: id as ParcelId, hopId: id as HopId, hop: 0, account: 'acme', pool: 'mail/main' },
    ...{ sendingDomain: 'acme.test', priorityClass: 'bulk', acceptedAt: Date.now(), from: 's@acme.test' },
    ...{ smtpUtf8: false, isNotification: false, message: Buffer.from('Subject: x\r\n\r\nx\r\n') },
    recipients: [{ address, attempts: 1, dueAt, lastReply: null, stickySource: null }],
  };
}

/** One shard each; the giver shares or does not. */
function assign(giver: Known, peer: Known, share: boolean): Promise<void> {
  const { shards } = fixture.allTo(giver);
  return fixture.assign(() => ({
    members: [giver, peer].map(({ name, uid }) => ({
      ...{ pod: name, uid, cordoned: false, handOver: false },
      ...(share && uid === giver.uid && { share: true as const }),
    })),
    shards: shards.map((shard) =>
      shard.shard === 1 ? { ...shard, owner: { pod: peer.name, uid: peer.uid, node: 'local' } } : shard,
    ),
  }));
}
