// Before a shard's redelivered mail is sent, its former owner, who never stated that it holds none of it, must not be able to
// send it any more: every egress pod of the IPPool closes its connections and refuses it (docs/hand-overs.md).
import { type RequestOptions, request } from 'node:https';
import type { Log } from '../../process/log.ts';
import type { FenceRequest } from '../bus/connect.ts';
import type { AddressLease } from '../bus/snapshot.ts';

const TIMEOUT_MS = 5000;
const RETRY_MS = 2000;

export interface FenceParts {
  readonly tls: () => RequestOptions;
  readonly leases: () => ReadonlyMap<string, AddressLease>;
  readonly log: Log;
}

/** Resolves when every holder of an address has confirmed the fence, whoever holds them by then; or when `signal` aborts. */
export async function fenceEverywhere(
  parts: FenceParts,
  ask: FenceRequest,
  signal: AbortSignal,
): Promise<void> {
  const confirmed = new Set<string>();
  while (!signal.aborted) {
    const open = [...holders(parts.leases())].filter(([uid]) => !confirmed.has(uid));
    if (open.length === 0) return;
    await Promise.all(
      open.map(async ([uid, holder]) => {
        try {
          await fenceAt(parts.tls(), holder, ask);
          confirmed.add(uid);
        } catch (error) {
          parts.log.warn({ egress: holder.pod, err: error, ...ask }, 'egress has not confirmed the fence');
        }
      }),
    );
    if ([...holders(parts.leases()).keys()].some((uid) => !confirmed.has(uid)))
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
  }
}

function holders(leases: ReadonlyMap<string, AddressLease>): Map<string, AddressLease['holder']> {
  return new Map([...leases.values()].map(({ holder }) => [holder.uid, holder]));
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
        response.once('end', () =>
          response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`)),
        );
      },
    );
    sent.once('error', reject);
    sent.once('timeout', () => sent.destroy(new Error('no answer')));
    sent.end(body);
  });
}
