// Asks ingress for the bounce of a recipient that ended without delivery. Confirmed before the recipient is final.
import { failpoint } from '../../process/failpoint.ts';
import type { Log } from '../../process/log.ts';
import { BOUNCE_STREAM, bounceSubject, poolKey } from '../bus/names.ts';
import {
  BOUNCE_VERSION,
  type BounceKind,
  type BounceRequest,
  bounceId,
  encodeBounce,
  headersForBounce,
} from '../message/bounce.ts';
import { enhancedStatus } from '../policy/reply.ts';
import type { Policy, Publish } from './ports.ts';
import { parseReply } from './results.ts';
import type { Header, PublishBounce, Settled } from './settle.ts';

/** Whether anyone is to be told: never about a notification, never without a sender (RFC 5321 §6.1, RFC 3464 §2). */
export function bounceDue(header: Pick<Header, 'from' | 'isNotification'>, policy: Policy): boolean {
  return policy.dsn.bounces && !header.isNotification && header.from !== '';
}

/** The request for one recipient. */
export function bounceRequest(
  header: Header,
  { recipient, fate, host }: Settled,
  originalHeaders: string,
): BounceRequest | null {
  if (fate.kind !== 'bounced' && fate.kind !== 'expired') return null;
  const kind: BounceKind = fate.kind;
  return {
    version: BOUNCE_VERSION,
    parcelId: header.id,
    recipient: recipient.address,
    kind,
    pool: header.pool,
    sendingDomain: header.sendingDomain,
    account: header.account,
    from: header.from,
    originalHeaders,
    status: statusOf(kind, fate.reply),
    reply: fate.reply || null,
    remoteMta: host ?? null,
    acceptedAt: header.acceptedAt,
    attempts: recipient.attempts,
  };
}

/** The status of the reply; without one 4.4.7 (delivery time expired) or 5.0.0 (RFC 3463). */
function statusOf(kind: BounceKind, reply: string): string {
  const parsed = enhancedStatus(parseReply(reply, 'rcpt'));
  if (kind === 'expired') return parsed?.startsWith('4') ? parsed : '4.4.7';
  return parsed?.startsWith('5') ? parsed : '5.0.0';
}

/** Publishes bounces; false when JetStream has not confirmed it. */
export function bouncePublisher(publish: Publish, policy: () => Policy, log: Log): PublishBounce {
  return async (header, settled, message) => {
    if (!bounceDue(header, policy())) return true;
    const request = bounceRequest(header, settled, originalHeaders(message, log));
    if (!request) return true;
    const id = bounceId(request.parcelId, request.recipient, request.kind);
    try {
      await publish(bounceSubject(poolKey(header.pool)), encodeBounce(request), id, BOUNCE_STREAM);
      failpoint('delivery.bounce-published');
      return true;
    } catch (error) {
      log.warn(
        { hopId: header.hopId, err: error },
        'a bounce cannot be published now; its recipient waits in the spool',
      );
      return false;
    }
  };
}

/** A damaged message in the spool still gets its sender a bounce, without the headers. */
function originalHeaders(message: () => Buffer, log: Log): string {
  try {
    return headersForBounce(message());
  } catch (error) {
    log.error({ err: error }, 'the original of a bounce cannot be read');
    return '';
  }
}
