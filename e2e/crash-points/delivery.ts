// A scenario for each row that a lane can walk by itself, beside the others.
import { randomUUID } from 'node:crypto';
import type { FailpointName } from '../../process/failpoint.ts';
import type { Lane, Outcome, Scenario } from './walk.ts';

/** One mail for one mailbox: it never touches the spool. */
const fast =
  (point: FailpointName): Scenario =>
  async (lane) => {
    const parcel = lane.parcel(['user@one.test']);
    await lane.crash(point, parcel);
    return lane.outcome(parcel);
  };

/** One mail for a mailbox that takes it at the second attempt: it goes to the spool after the first, and is sent from there. */
const spooled =
  (point: FailpointName): Scenario =>
  async (lane) => {
    const parcel = lane.parcel([`grey-${randomUUID()}@one.test`]);
    await lane.crash(point, parcel);
    return lane.outcome(parcel);
  };

/** One mail that waits in the pod's spool while the pod is drained; killed in the middle of the hand-over. */
const handedOver =
  (point: FailpointName): Scenario =>
  async (lane) => {
    const address = `later-${randomUUID()}@one.test`;
    const parcel = lane.parcel([address]);
    await lane.arm(point);
    await lane.publish(parcel);
    await lane.states(
      'the mail to wait',
      ({ spool, unacknowledged }) => spool.entries === 1 && unacknowledged === 0,
    );
    await lane.moveShard(lane.other, { cordoned: true, handOver: true });
    await lane.killed(point);
    lane.fleet.start(lane.pod);
    await lane.states('its spool to be empty', ({ spool }) => spool.entries === 0);
    lane.mailboxes.open.add(address);
    const outcome = await lane.outcome(parcel, lane.pod, lane.other);
    await lane.moveShard(lane.pod);
    return outcome;
  };

/** One mail that is sent; killed while its id is written for the next owner; then the shard moves, and the mail is published again. */
const remembered =
  (point: FailpointName): Scenario =>
  async (lane) => {
    const parcel = lane.parcel(['user@one.test']);
    await lane.crash(point, parcel);
    await lane.settled();
    await lane.moveShard(lane.other);
    await lane.publishAgain(parcel);
    const outcome = await lane.outcome(parcel, lane.other);
    await lane.moveShard(lane.pod);
    return outcome;
  };

/** What this pod sent before is published again while it takes its shard over. */
const takenOver: Scenario = async (lane) => {
  const parcel = lane.parcel(['user@one.test']);
  await lane.publish(parcel);
  await lane.settled();
  await lane.remembered(parcel);
  await lane.arm('delivery.taken-over');
  await lane.killed('delivery.taken-over');
  await lane.publishAgain(parcel);
  lane.fleet.start(lane.pod);
  return lane.outcome(parcel);
};

/** One mail to a mailbox that does not exist: what is counted are the notifications that its sender gets. */
const bounced = async (
  lane: Lane,
  crash: (parcel: ReturnType<Lane['parcel']>) => Promise<void>,
): Promise<Outcome> => {
  const parcel = lane.parcel(['gone@one.test'], { from: 'sender@two.test' });
  await crash(parcel);
  await lane.settled();
  await lane.bouncesDone();
  return { copies: lane.mailboxes.copies(parcel.id), counted: await lane.counted() };
};

export const IN_LANES = {
  'delivery.pulled': fast('delivery.pulled'),
  'delivery.fast-attempt': fast('delivery.fast-attempt'),
  'delivery.final-dot': fast('delivery.final-dot'),
  'delivery.fast-replied': fast('delivery.fast-replied'),
  'delivery.confirmed': fast('delivery.confirmed'),
  'delivery.spooling': spooled('delivery.spooling'),
  'spool.before-write': spooled('spool.before-write'),
  'spool.written': spooled('spool.written'),
  'delivery.spooled': spooled('delivery.spooled'),
  'delivery.spool-attempt': spooled('delivery.spool-attempt'),
  'delivery.spool-replied': spooled('delivery.spool-replied'),
  'delivery.recorded': spooled('delivery.recorded'),
  'delivery.moving': handedOver('delivery.moving'),
  'delivery.transferred': handedOver('delivery.transferred'),
  'delivery.transfer-removed': handedOver('delivery.transfer-removed'),
  'delivery.memory-before': remembered('delivery.memory-before'),
  'delivery.memory-written': remembered('delivery.memory-written'),
  'delivery.taken-over': takenOver,
} satisfies Record<string, Scenario>;

/** Rows in which something is killed that all lanes share: walked alone, one after the other, when the lanes have ended. */
export const ALONE = {
  'delivery.bounce-published': (lane) =>
    bounced(lane, (parcel) => lane.crash('delivery.bounce-published', parcel)),
  'ingress.bounce-published': (lane) =>
    bounced(lane, async (parcel) => {
      await lane.arm('ingress.bounce-published', lane.fleet.ingress);
      await lane.publish(parcel);
      await lane.killed('ingress.bounce-published', lane.fleet.ingress);
      lane.fleet.start(lane.fleet.ingress);
    }),
  'ingress.before-publish': submitted('ingress.before-publish'),
  'ingress.published': submitted('ingress.published'),
  'egress.granted': async (lane) => {
    const { egress } = lane.fleet;
    const parcel = lane.parcel(['user@one.test']);
    await lane.arm('egress.granted', egress);
    await lane.publish(parcel);
    await lane.killed('egress.granted', egress);
    lane.fleet.start(egress);
    return lane.outcome(parcel);
  },
  'egress at the final dot': async (lane) => {
    const { egress } = lane.fleet;
    const parcel = await held(lane);
    await egress.child.stop('SIGKILL');
    lane.mailboxes.release();
    lane.fleet.start(egress);
    return lane.outcome(parcel);
  },
  'delivery.unconfirmed': withoutNats('delivery.unconfirmed'),
  'delivery.finished': withoutNats('delivery.finished'),
} satisfies Record<string, Scenario>;

/** A client that loses its answer and repeats with the same key, until it has one. */
function submitted(point: FailpointName): Scenario {
  return async (lane) => {
    const { ingress } = lane.fleet;
    await lane.arm(point, ingress);
    const text = randomUUID();
    while (ingress.child.running)
      if ((await lane.submit(text)) === 202) throw new Error('the client has an answer');
    await lane.killed(point, ingress);
    lane.fleet.start(ingress);
    while ((await lane.submit(text)) !== 202);
    await lane.allSettled();
    return { copies: lane.mailboxes.copies(text), counted: 0 };
  };
}

/** One mail that the mail server has taken and not answered yet. */
async function held(lane: Lane): Promise<ReturnType<Lane['parcel']>> {
  lane.mailboxes.holding = true;
  const parcel = lane.parcel(['hold@one.test']);
  await lane.publish(parcel);
  await lane.mailHeld();
  return parcel;
}

/** NATS goes away before the acknowledgement of a mail that is sent, and the pod at the failpoint. */
function withoutNats(point: FailpointName): Scenario {
  return async (lane) => {
    const [nats] = lane.fleet.nats.nodes;
    await lane.arm(point);
    const parcel = await held(lane);
    await nats?.stop('SIGKILL');
    lane.mailboxes.release();
    await lane.killed(point);
    await nats?.start();
    lane.fleet.start(lane.pod);
    await lane.trusted();
    return lane.outcome(parcel);
  };
}
