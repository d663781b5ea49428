// Two sockets joined. Bytes flow at the pace of the slower side; an end is passed on while the other direction stays open
// (half-close); whatever breaks one breaks the other.
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface TunnelLimits {
  /** Without a byte in either direction. RFC 5321 §4.5.3.2.6 lets a server take ten minutes after the final dot. */
  readonly idleMs: number;
  /** The same, once one side has ended: a caller that died looks like one that ended, and its slot shall come back. */
  readonly halfClosedMs: number;
  /** False once nothing may pass any more. A process that was stopped and goes on reads before its timers run. */
  readonly mayCarry?: () => boolean;
  /** From the joining on. */
  readonly lifetimeMs: number;
}

/** Joins `client` and `remote`; resolves when both are gone. `signal` destroys both. */
export async function join(
  client: Duplex,
  remote: Socket,
  limits: TunnelLimits,
  signal: AbortSignal,
): Promise<void> {
  const destroyBoth = () => {
    client.destroy();
    remote.destroy();
  };
  const lifetime = setTimeout(destroyBoth, limits.lifetimeMs).unref();
  remote.setTimeout(limits.idleMs, destroyBoth);
  for (const side of [client, remote])
    side.once('end', () => remote.setTimeout(Math.min(limits.idleMs, limits.halfClosedMs)));
  const judge = () => {
    if (limits.mayCarry?.() === false) destroyBoth();
  };
  client.on('data', judge);
  signal.addEventListener('abort', destroyBoth, { once: true });
  if (signal.aborted) destroyBoth();
  client.pipe(remote);
  remote.pipe(client);
  await Promise.all([gone(client, remote), gone(remote, client)]);
  clearTimeout(lifetime);
  signal.removeEventListener('abort', destroyBoth);
}

/** Resolves when `socket` has closed; takes `other` along unless `socket` had finished in both directions. */
function gone(socket: Duplex, other: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const closed = () => {
      // After a clean end the other side may still have bytes to flush; `pipe` has already ended it.
      if (!socket.readableEnded || !socket.writableFinished) other.destroy();
      resolve();
    };
    socket.on('error', () => {}); // 'close' follows
    if (socket.closed) closed();
    else socket.once('close', closed);
  });
}
