// The role put together: snapshot, leases, server. Everything with a life of its own comes in from main.ts (or a test).
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { log as rootLog } from '../../process/log.ts';
import { LONGEST_CONNECTION_MS } from '../bus/connect.ts';
import { newEgress, newPhysician, newTime } from './assemble.ts';
import { newBounds } from './bounds.ts';
import type { Egress } from './egress.ts';
import { followFleet } from './follow_fleet.ts';
import { type Around, newKeepers } from './holding.ts';
import type { Keepers } from './keepers.ts';
import type { RoleParts } from './role_parts.ts';
import { startRounds } from './rounds.ts';
import { egressServer } from './server.ts';

const log = rootLog.child({ room: 'egress' });

/** How long an address that leaves the IPPool waits for its connections: a grant, and what comes after it. */
const VACATE_MS = LONGEST_CONNECTION_MS;

export interface Role {
  readonly egress: Egress;
  readonly keepers: Keepers;
  readonly server: Server;
  readonly port: number;
  /** Stops granting, lets open connections finish for at most `graceMs`, releases the leases, ends. */
  close(graceMs: number): Promise<void>;
}

/** Starts egress; resolves when it listens. It is ready when an address is held (readiness `addresses`). */
export async function startRole(parts: RoleParts): Promise<Role> {
  const { settings, readiness } = parts;
  readiness.set('addresses', 'the snapshot is not there yet');
  let port = settings.POSTFLEET_EGRESS_PORT;
  let graceMs = VACATE_MS;
  const [over, closing, end] = [new AbortController(), new AbortController(), new AbortController()];

  const time = newTime(parts);
  const bounds = newBounds(
    parts,
    time,
    () => egress,
    () => port,
  );
  const physician = newPhysician(
    parts,
    () => egress,
    () => keepers,
  );
  const egress: Egress = newEgress(parts, time, bounds, () => keepers, physician);
  const server = egressServer(egress, bounds.caps, parts.tls(), log);
  port = await listen(server, port);
  const around: Around = { time, egress, bounds, physician, port };
  const keepers: Keepers = newKeepers(parts, around, () => graceMs, over.signal);
  const following = followFleet(parts, { egress, keepers, bounds }, closing.signal, end.signal);
  startRounds(parts, around, keepers, closing.signal, end.signal);
  return {
    ...{ egress, keepers, server, port },
    async close(ms) {
      graceMs = ms;
      readiness.set('addresses', 'shutting down');
      closing.abort();
      await letGo(around, keepers, over, ms);
      end.abort();
      await closeBounds(around);
      server.close();
      server.closeAllConnections();
      await following;
      log.info({ at: parts.clock.now() }, 'egress ended');
    },
  };
}

/** Hands the addresses over; their connections have `ms` to end. */
async function letGo(
  { egress, bounds }: Around,
  keepers: Keepers,
  over: AbortController,
  ms: number,
): Promise<void> {
  const late = setTimeout(() => {
    over.abort();
    void egress.connections.close(() => true, 'the grace is over');
  }, ms);
  await keepers.handOverAll();
  await bounds.limiter.leaveAll();
  clearTimeout(late);
  await egress.connections.close(() => true, 'shutting down');
}

async function closeBounds({ bounds }: Around): Promise<void> {
  await bounds.caps.close();
  await bounds.warmup.close();
  bounds.complaints.close();
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) =>
    server.once('error', reject).listen(port, () => resolve((server.address() as AddressInfo).port)),
  );
}
