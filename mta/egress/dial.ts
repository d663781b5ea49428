// Opens the connection to the MX from the source address: the addresses of its name in turn, each judged before it is tried.
import { connect, isIP, type Socket } from 'node:net';
import type { DestinationRule } from './destinations.ts';
import { Refused } from './refusal.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
  /** The local address to bind; its family decides which addresses of the host can be reached. */
  readonly bind: string;
}
export interface DialOptions {
  /** Addresses of a host name in one family; empty when it has none. Rejects on a temporary DNS failure. */
  readonly resolve: (host: string, family: 4 | 6) => Promise<readonly string[]>;
  readonly destination: DestinationRule;
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** Postfix's smtp_mx_address_limit: a name with a hundred dead addresses does not hold a slot for an hour. */
const MAX_ADDRESSES = 5;
const NOT_OURS = new Set(['EADDRNOTAVAIL', 'EINVAL', 'EADDRINUSE']);

/** @throws Refused ResolveFailed, NoSuchHost, ForbiddenDestination, ConnectFailed, ConnectTimeout or SourceFailed. */
export async function dial(target: Target, options: DialOptions): Promise<Socket> {
  const addresses = await addressesOf(target, options);
  const verdicts = addresses.map((address) => ({ address, why: options.destination(address, target.port) }));
  const allowed = verdicts.filter(({ why }) => why === null);
  if (allowed.length === 0) throw new Refused('ForbiddenDestination', verdicts[0]?.why ?? 'no address');
  let last: Refused | null = null;
  for (const { address } of allowed.slice(0, MAX_ADDRESSES)) {
    try {
      return await connectTo(address, target, options);
    } catch (error) {
      last = error as Refused;
      if (last.reason === 'SourceFailed' || options.signal.aborted) break;
    }
  }
  throw last ?? new Refused('ConnectFailed', `${target.host} was not tried`);
}

async function addressesOf({ host, bind }: Target, { resolve }: DialOptions): Promise<readonly string[]> {
  const family = isIP(bind) === 6 ? 6 : 4;
  const literal = isIP(host);
  if (literal && literal !== family)
    throw new Refused('NoSuchHost', `${host} cannot be reached from ${bind}`);
  if (literal) return [host];
  const addresses = await resolve(host, family);
  if (addresses.length === 0) throw new Refused('NoSuchHost', `${host} has no IPv${family} address`);
  return addresses;
}

function connectTo(address: string, { port, bind }: Target, options: DialOptions): Promise<Socket> {
  const { connectTimeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, localAddress: bind, allowHalfOpen: true, noDelay: true });
    const fail = (error: Refused) => {
      settle();
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(
      () => fail(new Refused('ConnectTimeout', `${address} did not answer within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    const aborted = () => fail(new Refused('ConnectFailed', 'given up', { cause: signal.reason }));
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
    };
    signal.addEventListener('abort', aborted, { once: true });
    socket.on('error', (error: NodeJS.ErrnoException) => fail(connectError(error, address, bind)));
    socket.once('connect', () => {
      settle();
      socket.setKeepAlive(true, 30_000);
      resolve(socket);
    });
    if (signal.aborted) aborted();
  });
}

function connectError(error: NodeJS.ErrnoException, address: string, bind: string): Refused {
  if (NOT_OURS.has(error.code ?? ''))
    return new Refused('SourceFailed', `${bind} cannot be bound (${error.code})`, { cause: error });
  const reason = error.code === 'ETIMEDOUT' ? 'ConnectTimeout' : 'ConnectFailed';
  return new Refused(reason, `${address}: ${error.code ?? error.message}`, { cause: error });
}
