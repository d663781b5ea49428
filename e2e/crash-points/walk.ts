// A fleet whose delivery pods each work a shard of their own, so that several rows are walked at once, and what a scenario asks of it.
import { createHash, randomUUID } from 'node:crypto';
import { request } from 'node:https';
import { BOUNCE_STREAM, mailStream, mailSubject, poolKey } from '../../mta/bus/names.ts';
import type { ShardAssignment, Statement } from '../../mta/bus/snapshot.ts';
import { packId } from '../../mta/delivery/memory/chunk.ts';
import { readMemory } from '../../mta/delivery/memory/reader.ts';
import { encodeParcel, type HopId, type Parcel, type ParcelId } from '../../mta/message/parcel.ts';
import type { FailpointName } from '../../process/failpoint.ts';
import { DnsServer } from '../internet/dns.ts';
import { type DnsRecord, Zones } from '../internet/zone.ts';
import { shortenAckWait } from '../rig/bus.ts';
import { type Fleet, type RolePod, startFleet } from '../rig/fleet.ts';
import { freePorts } from '../rig/ports.ts';
import { until } from '../rig/process.ts';
import { Mailboxes } from './mailboxes.ts';

export const SENDING_DOMAIN = 'acme.test';
const POOL = poolKey('rig/main');
const ACK_WAIT_MS = 2000;
const PATIENCE_MS = 60_000;

export interface Outcome {
  readonly copies: number;
  readonly counted: number;
}
export type Scenario = (lane: Lane) => Promise<Outcome>;

export class Walk {
  readonly fleet: Fleet;
  readonly mailboxes: Mailboxes;
  readonly #stop: () => Promise<void>;

  private constructor(fleet: Fleet, mailboxes: Mailboxes, stop: () => Promise<void>) {
    this.fleet = fleet;
    this.mailboxes = mailboxes;
    this.#stop = stop;
  }

  /** Starts a fleet with `lanes` delivery pods and one more that takes shards over. */
  static async start(lanes: number): Promise<Walk> {
    const [port = 0] = await freePorts(1);
    const mailboxes = await Mailboxes.start(['127.0.9.1']);
    const zones = new Zones();
    zones.set([SENDING_DOMAIN, ...Mailboxes.DOMAINS].flatMap(recordsOf));
    const dns = new DnsServer(zones);
    await dns.listen('127.0.0.1', port);
    const fleet = await startFleet({
      domain: SENDING_DOMAIN,
      shards: lanes + 1,
      deliveries: lanes + 1,
      addresses: [{ address: '127.2.9.1', ehlo: 'mta1.rig.test' }],
      policy: { retry: { intervals: ['1s'], jitter: 0 } },
      dnsServers: [`127.0.0.1:${port}`],
    });
    const walk = new Walk(fleet, mailboxes, async () => {
      await fleet.stop();
      await dns.close();
      await mailboxes.stop();
    });
    const shards = Array.from({ length: lanes + 1 }, (_, shard) => mailStream(POOL, shard));
    await shortenAckWait(fleet.bus, [BOUNCE_STREAM, ...shards], ACK_WAIT_MS);
    return walk;
  }

  lane(number: number): Lane {
    const { deliveries } = this.fleet;
    return new Lane(this, deliveries[number] as RolePod, number, deliveries.at(-1) as RolePod);
  }

  stop(): Promise<void> {
    return this.#stop();
  }
}

const recordsOf = (name: string): DnsRecord[] => [
  { name, type: 'MX', data: { preference: 10, exchange: `mx.${name}` } },
  { name: `mx.${name}`, type: 'A', data: '127.0.9.1' },
];

/** One delivery pod with its shard; `other` takes the shard over where a scenario moves it. */
export class Lane {
  readonly walk: Walk;
  readonly pod: RolePod;
  readonly shard: number;
  readonly other: RolePod;

  constructor(walk: Walk, pod: RolePod, shard: number, other: RolePod) {
    this.walk = walk;
    this.pod = pod;
    this.shard = shard;
    this.other = other;
  }

  get fleet(): Fleet {
    return this.walk.fleet;
  }

  get mailboxes(): Mailboxes {
    return this.walk.mailboxes;
  }

  /** Starts the role anew with a failpoint armed. */
  async arm(point: FailpointName, pod = this.pod): Promise<void> {
    await pod.child.stop('SIGKILL');
    this.fleet.start(pod, { POSTFLEET_FAILPOINT: point, POSTFLEET_ALLOW_FAILPOINTS: 'yes' });
  }

  /** Waits until the role has been killed at the failpoint. */
  async killed(point: FailpointName, pod = this.pod): Promise<void> {
    await until(`${pod.name} to be killed at ${point}`, () => !pod.child.running, PATIENCE_MS).catch(
      (error) => {
        throw new Error(`${error.message}\n${pod.child.output.slice(-3000)}`);
      },
    );
    const { output, process } = pod.child;
    if (process.signalCode !== 'SIGKILL' || !output.includes(`FAILPOINT ${point} reached`))
      throw new Error(
        `${pod.name} ended otherwise than at ${point}: ${process.signalCode} ${output.slice(-3000)}`,
      );
  }

  /** Arms, gives the pod the mail, waits for its end and starts it again without the failpoint. */
  async crash(point: FailpointName, parcel: Parcel): Promise<void> {
    await this.arm(point);
    await this.publish(parcel);
    await this.killed(point);
    this.fleet.start(this.pod);
  }

  /** A parcel of this lane's shard for recipients of the miniature mail server. */
  parcel(to: readonly string[], over: Partial<Parcel> = {}): Parcel {
    const shards = this.fleet.assignment().shards.length;
    const digest = createHash('sha256').update(randomUUID()).digest('hex');
    const first = Number.parseInt(digest.slice(0, 7), 16) * shards + this.shard;
    const id = first.toString(16).padStart(8, '0').slice(-8) + digest.slice(8, 32);
    if (Number.parseInt(id.slice(0, 8), 16) % shards !== this.shard) return this.parcel(to, over);
    return {
      ...{ version: 1, id: id as ParcelId, hopId: id as HopId, hop: 0, account: 'acme', pool: 'rig/main' },
      ...{ sendingDomain: SENDING_DOMAIN, priorityClass: 'transactional', acceptedAt: Date.now() },
      ...{ from: '', smtpUtf8: false, isNotification: false },
      recipients: to.map((address) => ({
        ...{ address, attempts: 0, dueAt: null, lastReply: null, stickySource: null },
      })),
      message: Buffer.from(`Subject: ${id}\r\n\r\nHello\r\n`),
      ...over,
    };
  }

  async publish(parcel: Parcel, messageId: string = parcel.hopId): Promise<void> {
    const stream = mailStream(POOL, this.shard);
    const { duplicate } = await this.fleet.bus.js.publish(
      mailSubject(POOL, this.shard, parcel.priorityClass),
      encodeParcel(parcel),
      { msgID: messageId, expect: { streamName: stream } },
    );
    if (duplicate) throw new Error(`${parcel.hopId} was published as ${messageId} before`);
  }

  /** Published once more as if NATS had lost what it knew: stored again under the same hop id. */
  publishAgain(parcel: Parcel): Promise<void> {
    return this.publish(parcel, randomUUID());
  }

  /** Nothing in the lane's stream, nothing in hand, in flight or in the spool of the pods. */
  async settled(...pods: readonly RolePod[]): Promise<void> {
    const all = pods.length > 0 ? pods : [this.pod];
    const check = async () => {
      if ((await this.stored()) > 0) return false;
      const said = await Promise.all(all.map((pod) => this.fleet.statement(pod)));
      return said.every(
        ({ unacknowledged, inFlight, spool }) => unacknowledged + inFlight + spool.entries === 0,
      );
    };
    await until(`${this.pod.name} to have nothing left`, check, PATIENCE_MS).catch((error) => {
      throw new Error(`${error.message}\n${all.map(({ child }) => child.output.slice(-2000)).join('\n')}`);
    });
  }

  /** The mail's id is in the memory of the shard. */
  remembered({ hopId }: Parcel): Promise<unknown> {
    const read = async () => (await readMemory(this.fleet.bus, POOL, this.shard)).has(packId(hopId));
    return until('the mail to be in the memory of the shard', read, PATIENCE_MS);
  }

  /** Every lane has nothing left. */
  async allSettled(): Promise<void> {
    const { deliveries } = this.fleet;
    for (const shard of deliveries.keys()) await this.walk.lane(shard).settled(...deliveries);
  }

  /** Requests for bounces are answered, and what came of them is delivered. */
  async bouncesDone(): Promise<void> {
    const { streams } = await this.fleet.bus.manager();
    const none = async () => (await streams.info(BOUNCE_STREAM)).state.messages === 0;
    await until('the bounces to be made', none, PATIENCE_MS);
    await this.allSettled();
  }

  mailHeld(): Promise<unknown> {
    return until('the mail server to hold the mail', () => this.mailboxes.held > 0, PATIENCE_MS);
  }

  /** NATS is back, and proven. */
  trusted(): Promise<unknown> {
    return until('NATS to be trusted', () => this.fleet.bus.obstacle() === null, PATIENCE_MS);
  }

  /** Submits a message by HTTP under the key `text`; the status, or null when there was no answer. */
  submit(text: string): Promise<number | null> {
    const { ingress, credentials } = this.fleet;
    const body = JSON.stringify({
      from: `sender@${SENDING_DOMAIN}`,
      to: 'user@one.test',
      subject: 'a mail',
      text,
    });
    return new Promise((resolve) => {
      const sent = request({
        ...{ host: '127.0.0.1', port: ingress.httpsPort, path: '/v1/messages', method: 'POST', agent: false },
        rejectUnauthorized: false,
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${credentials.password}`,
          'idempotency-key': text,
        },
      });
      // A client that is refused asks again a moment later.
      sent.once('error', () => setTimeout(resolve, 100, null));
      sent.once('response', (response) => resolve(response.resume().statusCode ?? null));
      sent.end(body);
    });
  }

  async stored(): Promise<number> {
    const { streams } = await this.fleet.bus.manager();
    return (await streams.info(mailStream(POOL, this.shard))).state.messages;
  }

  /** Waits for the pod's statement to be so. */
  states(what: string, check: (statement: Statement) => boolean, pod = this.pod): Promise<unknown> {
    return until(`${pod.name}: ${what}`, async () => check(await this.fleet.statement(pod)), PATIENCE_MS);
  }

  /** What became of a mail, once the lane has nothing left. */
  async outcome(parcel: Parcel, ...pods: readonly RolePod[]): Promise<Outcome> {
    await this.settled(...pods);
    return { copies: this.mailboxes.copies(parcel.id), counted: await this.counted() };
  }

  /** What the pod's present process has counted as possibly repeated. */
  async counted(pod = this.pod): Promise<number> {
    const text = await this.fleet.metrics(pod);
    return Number(/^postfleet_possibly_repeated_total\{[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0);
  }

  /** Changes the assignment: this lane's shard, and what is asked of its pod. */
  async assign(
    shard: Partial<ShardAssignment>,
    cordon: { cordoned: boolean; handOver: boolean },
  ): Promise<void> {
    await this.fleet.assign((now) => ({
      ...now,
      members: now.members.map((one) => (one.uid === this.pod.uid ? { ...one, ...cordon } : one)),
      shards: now.shards.map((one) => (one.shard === this.shard ? { ...one, ...shard } : one)),
    }));
  }

  /** Moves the shard in order: its owner releases it, states that it holds nothing, and then `to` has it. */
  async moveShard(to: RolePod, cordon = { cordoned: false, handOver: false }): Promise<void> {
    const before = this.#assigned();
    const from = this.fleet.deliveries.find(({ uid }) => uid === before.owner?.uid) ?? this.pod;
    await this.assign({ releasing: true }, { ...cordon, handOver: false });
    const { revision } = this.fleet.assignment();
    const given = ({ assignmentRevision, held }: Statement) =>
      assignmentRevision >= revision && !held.some(({ shard }) => shard === this.shard);
    await this.states('its shard to be given up', given, from);
    const owner = { pod: to.name, uid: to.uid, node: 'local' };
    const former = { uid: from.uid, stated: true };
    await this.assign({ releasing: false, epoch: before.epoch + 1, owner, former }, cordon);
  }

  #assigned(): ShardAssignment {
    return this.fleet.assignment().shards.find(({ shard }) => shard === this.shard) as ShardAssignment;
  }
}
