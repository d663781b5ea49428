// Before a shard's redelivered mail is sent, its former owner, who never stated that it holds none of it, must not be able to
// send it any more: every egress pod of the IPPool closes its connections and refuses it (docs/hand-overs.md).
import { type RequestOptions, request } from 'node:https';
import type { Log } from '../../process/log.ts';
import type { FenceRequest } from '../bus/connect.ts';
import type { AddressLease } from '../bus/snapshot.ts';
import { decideFence, type FenceTimes, observeLeases, type ReadLease, type Seen } from './fence_decide.ts';
import { pause } from './pause.ts';

const TIMEOUT_MS = 5000;

export interface FenceParts {
  readonly tls: () => RequestOptions;
  /** The leases as they stand in NATS now, of every address the former owner may have sent from; rejects when NATS does not say. */
  readonly readLeases: () => Promise<readonly ReadLease[]>;
  readonly times: FenceTimes;
  /** Monotonic ms. */
  readonly monotonic: () => number;
  readonly log: Log;
}

export interface FenceOutcome {
  /** Addresses through which the former owner may still have sent; empty: it is certain that it can not. */
  readonly unconfirmed: readonly string[];
}

/**
 * Resolves when every holder of an address has confirmed or is known to let nothing pass; or, with nothing said, when `signal`
 * aborts. `ask` is read at each request: the epoch may rise meanwhile. Never rejects.
 */
export async function fenceEverywhere(
  parts: FenceParts,
  ask: () => FenceRequest,
  signal: AbortSignal,
): Promise<FenceOutcome> {
  const { times, monotonic, log } = parts;
  const confirmed = new Set<string>();
  const started = monotonic();
  let seen: Seen = new Map();
  while (!signal.aborted) {
    const read = await parts.readLeases().catch((error: unknown) => {
      log.warn({ err: error }, 'leases cannot be read: the former owner is not fenced yet');
      return null;
    });
    seen = observeLeases(seen, read, monotonic());
    if (read) {
      const { waiting, unconfirmed } = decideFence(seen, confirmed, started, monotonic(), times);
      if (waiting.length === 0) return { unconfirmed };
      const before = confirmed.size;
      await Promise.all(waiting.map((holder) => askOne(parts, holder, ask(), confirmed)));
      if (confirmed.size - before === waiting.length) continue;
    }
    await pause(times.pollMs, signal);
  }
  return { unconfirmed: [] };
}

async function askOne(
  { tls, log }: FenceParts,
  holder: AddressLease['holder'],
  ask: FenceRequest,
  confirmed: Set<string>,
): Promise<void> {
  try {
    await fenceAt(tls(), holder, ask);
    confirmed.add(holder.uid);
  } catch (error) {
    log.warn({ egress: holder.pod, err: error, ...ask }, 'egress has not confirmed the fence');
  }
}

function fenceAt(tls: RequestOptions, holder: AddressLease['holder'], ask: FenceRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify(ask);
    const sent = request(
      {
        ...tls,
        agent: false,
        method: 'POST',
        host: holder.host,
        port: holder.port,
        path: '/v1/fence',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        timeout: TIMEOUT_MS,
      },
      (response) => {
        response.resume();
        response.once('error', reject).once('end', () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`status ${response.statusCode}`));
        });
      },
    );
    // Bounded as a whole: an answer that trickles must not hold up the look at the leases.
    const late = setTimeout(() => sent.destroy(new Error('no answer')), TIMEOUT_MS);
    sent.once('close', () => clearTimeout(late));
    sent.once('error', reject);
    sent.end(body);
  });
}
