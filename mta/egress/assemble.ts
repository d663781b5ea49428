// The parts of the room that know one another, each given what it asks of the others.
import { log as rootLog } from '../../process/log.ts';
import type { Bounds } from './bounds.ts';
import { destinationRule } from './destinations.ts';
import { Egress } from './egress.ts';
import { FITNESS_RULES } from './fitness.ts';
import { ownAddresses } from './interfaces.ts';
import type { Keepers } from './keepers.ts';
import { readLeases } from './lease_store.ts';
import { unfit } from './metrics.ts';
import { Physician } from './physician.ts';
import type { RoleParts } from './role_parts.ts';
import { natsTime, SharedTime } from './time.ts';

const log = rootLog.child({ room: 'egress' });

/** The time of NATS, which all pods have alike; that this machine's is another is told. */
export function newTime({ bus, clock }: RoleParts): SharedTime {
  return new SharedTime({
    ask: () => natsTime(bus),
    monotonic: clock.now,
    machine: Date.now,
    onOff: (offMs, isFar) =>
      log[isFar ? 'warn' : 'info'](
        { offMs: Math.round(offMs) },
        isFar
          ? 'the clock of this machine is not the one of NATS, which limits and warm-up go by'
          : 'the clock of this machine is right again',
      ),
  });
}

/** Takes an address out when connections from it fail as no fit one's do, and back again. */
export function newPhysician(
  { bus, clock }: RoleParts,
  egress: () => Egress,
  keepers: () => Keepers,
): Physician {
  return new Physician({
    rules: FITNESS_RULES,
    now: clock.now,
    leases: () => readLeases(bus, egress().fleet.ipPool),
    onChange: (address, why) => {
      keepers().setUnfit(address, why);
      unfit.set({ address }, why === null ? 0 : 1);
      log[why === null ? 'info' : 'warn'](
        { address, why },
        why === null ? 'address in use again' : 'address taken out',
      );
    },
  });
}

/** The room's centre, which asks the keepers what is held and the bounds what is left. */
export function newEgress(
  { settings, resolve, connectTimeoutMs, idleMs, halfClosedMs }: RoleParts,
  time: SharedTime,
  { limiter, warmup }: Bounds,
  keepers: () => Keepers,
  physician: Physician,
): Egress {
  const own = () => [
    ...ownAddresses(),
    ...(egress.fleet.ipPool?.addresses ?? []).map(({ address }) => address),
  ];
  const egress: Egress = new Egress({
    ipPool: settings.POSTFLEET_IP_POOL,
    destination: destinationRule(settings.POSTFLEET_ALLOWED_DESTINATIONS, own),
    holds: (address) => keepers().grants(address),
    epochOf: (address) => keepers().epoch(address),
    mayCarry: (address, epoch) => keepers().mayCarry(address, epoch),
    limiter,
    wallNow: time.now,
    warmupDay: (address, provider) => warmup.day(address, provider),
    resolve,
    connectTimeoutMs,
    idleMs,
    halfClosedMs,
    onDial: (address, outcome, host) => physician.note(address, outcome, host),
    renamed: (provider) => {
      for (const one of [limiter, warmup]) one.forget(provider);
    },
    log,
  });
  return egress;
}
