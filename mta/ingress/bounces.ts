// Makes and signs the bounces that delivery asks for. Acknowledged only when the notification is stored, under an id that
// depends on the bounce alone: whatever is repeated gives one notification.
import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import { failpoint } from '../../process/failpoint.ts';
import type { Log } from '../../process/log.ts';
import type { Bus } from '../bus/client.ts';
import { BOUNCE_CONSUMER, BOUNCE_STREAM } from '../bus/names.ts';
import { parseAddress } from '../message/addresses.ts';
import { type BounceRequest, bounceId, decodeBounce } from '../message/bounce.ts';
import { convertMessage } from '../message/convert.ts';
import { dsnMessage } from '../message/dsn.ts';
import { joinEntity, splitEntity } from '../message/fields.ts';
import { firstHopId, parcelIdOfBounce } from '../message/ids.ts';
import { PARCEL_VERSION, type Parcel } from '../message/parcel.ts';
import { type AcceptParts, newRecipient, publishParcel, sign } from './accept.ts';
import { bounces } from './metrics.ts';

const AT_ONCE = 16;
const RECONNECT_MS = 2000;
const LATER_MS = 15_000;

export class BounceMaker {
  readonly #parts: AcceptParts;
  readonly #log: Log;
  #messages: ConsumerMessages | null = null;
  #stopped = false;
  readonly #working = new Set<Promise<void>>();

  constructor(parts: AcceptParts, log: Log) {
    this.#parts = parts;
    this.#log = log;
  }

  /** Works until `stop`, through every loss of the connection or the consumer. */
  async run(bus: Bus): Promise<void> {
    while (!this.#stopped) {
      try {
        const consumer = await bus.js.consumers.get(BOUNCE_STREAM, BOUNCE_CONSUMER);
        // After missed heartbeats the iterator ends, and a new one is made below.
        this.#messages = await consumer.consume({ max_messages: AT_ONCE, abort_on_missing_resource: true });
        await this.#consume(this.#messages);
      } catch (error) {
        this.#log.debug({ error: (error as Error).message }, 'bounces cannot be pulled yet');
      }
      if (!this.#stopped) await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS).unref());
    }
  }

  /** Stops pulling and waits for what is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#messages?.stop();
    await Promise.all(this.#working);
  }

  async #consume(messages: ConsumerMessages): Promise<void> {
    for await (const message of messages) {
      if (this.#working.size >= AT_ONCE) await Promise.race(this.#working);
      const work = this.#handle(message).finally(() => this.#working.delete(work));
      this.#working.add(work);
    }
  }

  async #handle(message: JsMsg): Promise<void> {
    let request: BounceRequest;
    try {
      request = decodeBounce(message.data);
    } catch (error) {
      // It would come back for ever.
      this.#log.error({ error: (error as Error).message }, 'a bounce request cannot be read and is dropped');
      bounces.inc({ result: 'dropped' });
      message.term('unreadable');
      return;
    }
    try {
      const result = await this.#bounce(request);
      failpoint('ingress.bounce-published');
      await message.ackAck();
      bounces.inc({ result });
    } catch (error) {
      this.#log.warn({ parcel: request.parcelId, error: (error as Error).message }, 'a bounce must wait');
      bounces.inc({ result: 'later' });
      message.nak(LATER_MS);
    }
  }

  async #bounce(request: BounceRequest): Promise<'published' | 'repeated' | 'dropped'> {
    const to = parseAddress(request.from);
    if (!to.ok) {
      this.#log.error(
        { parcel: request.parcelId, fault: to.message },
        'a bounce has no valid receiver and is dropped',
      );
      return 'dropped';
    }
    const pool = await this.#parts.fleet.pool(request.pool);
    if (!pool) throw new Error(`the sending pool ${request.pool} is not known`);
    const parcel = await this.#parcel(request, pool.classes[0]?.name ?? '');
    const { duplicate } = await publishParcel(this.#parts, parcel, pool.shards);
    return duplicate ? 'repeated' : 'published';
  }

  async #parcel(request: BounceRequest, priorityClass: string): Promise<Parcel> {
    const { hostname, fleet, keys } = this.#parts;
    const id = parcelIdOfBounce(bounceId(request.parcelId, request.recipient, request.kind));
    const now = new Date(this.#parts.now());
    const smtpUtf8 = parseNeedsUtf8(request.from);
    const { fields, body } = convertMessage(
      splitEntity(dsnMessage(request, { hostname, id, now })),
      smtpUtf8,
    );
    // A SendingDomain that was deleted meanwhile signs no more, but its senders still get their bounces.
    const domain = await fleet.domain(request.sendingDomain);
    return {
      version: PARCEL_VERSION,
      id,
      hopId: firstHopId(id),
      hop: 0,
      account: request.account,
      pool: request.pool,
      sendingDomain: request.sendingDomain,
      priorityClass,
      acceptedAt: now.getTime(),
      from: '',
      smtpUtf8,
      isNotification: true,
      recipients: [newRecipient(request.from)],
      message: domain ? await sign(keys, domain, fields, body, now) : joinEntity({ fields, body }),
    };
  }
}

function parseNeedsUtf8(text: string): boolean {
  const parsed = parseAddress(text);
  return parsed.ok && parsed.address.needsUtf8;
}
