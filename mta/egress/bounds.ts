// What bounds a grant beside the lease, put together: the limits of a pair, the caps over the pool, and warm-up.
import { log as rootLog } from '../../process/log.ts';
import { COMPLAINTS_BUCKET, LIMITS_BUCKET, WARMUP_BUCKET } from '../bus/names.ts';
import { PoolCaps } from './caps/caps.ts';
import type { Egress } from './egress.ts';
import { Limiter } from './limits/limiter.ts';
import { pairGauges } from './limits/metrics.ts';
import type { OtherRoom } from './limits/port.ts';
import { pairStore } from './limits/store.ts';
import { holderOf, type RoleParts } from './role_parts.ts';
import type { SharedTime } from './time.ts';
import { Complaints } from './warmup/complaints.ts';
import { warmupRoom } from './warmup/other_room.ts';
import { ledgerStore } from './warmup/store.ts';
import { Warmup } from './warmup/warmup.ts';

const log = rootLog.child({ room: 'egress' });

export interface Bounds {
  readonly limiter: Limiter;
  readonly caps: PoolCaps;
  readonly warmup: Warmup;
  /** What recipients complained of, which warm-up goes by. */
  readonly complaints: Complaints;
}

/** @param port where this pod is asked for loans; known when it listens */
export function newBounds(
  parts: RoleParts,
  time: SharedTime,
  egress: () => Egress,
  port: () => number,
): Bounds {
  const complaints = new Complaints(
    () => parts.bus.kv(COMPLAINTS_BUCKET),
    (error) => log.warn({ err: error }, 'complaints'),
  );
  const warmup = newWarmup(parts, time, egress, complaints);
  const caps = newCaps(parts, time, port, (provider) =>
    egress().connections.count((one) => one.provider === provider),
  );
  const limiter = newLimiter(parts, time, egress, warmupRoom(warmup), caps);
  pairGauges.onScrape(() => limiter.show());
  return { limiter, caps, warmup, complaints };
}

function newWarmup(
  { bus }: RoleParts,
  time: SharedTime,
  egress: () => Egress,
  complaints: Complaints,
): Warmup {
  const { kv, obstacle } = time.dated(bus);
  return new Warmup({
    ipPool: () => egress().fleet.ipPool,
    store: (address, provider) =>
      ledgerStore(() => kv(WARMUP_BUCKET), obstacle, address, provider, time.now, egress().names),
    now: time.now,
    warn: (error) => log.warn({ err: error }, 'warm-up'),
    complaintsAfter: complaints.after,
  });
}

function newCaps(
  parts: RoleParts,
  time: SharedTime,
  port: () => number,
  open: (provider: string) => number,
): PoolCaps {
  const { settings, bus, tls, clock } = parts;
  return new PoolCaps({
    ...{ ipPool: settings.POSTFLEET_IP_POOL, self: () => holderOf(parts, port()) },
    ...{ bus: time.dated(bus), tls, open, clock, wallNow: time.now, log },
  });
}

function newLimiter(
  { settings, bus, clock }: RoleParts,
  time: SharedTime,
  egress: () => Egress,
  other: OtherRoom,
  caps: PoolCaps,
): Limiter {
  const { kv, obstacle } = time.dated(bus);
  return new Limiter({
    uid: settings.POSTFLEET_POD_UID,
    clock,
    wallNow: time.now,
    store: (address, provider) =>
      pairStore(() => kv(LIMITS_BUCKET), obstacle, address, provider, time.now, egress().names),
    other,
    pool: caps.borrower,
    warn: (error) => log.warn({ err: error }, 'limits'),
  });
}
