// What is looked after again and again, each at its own pace.
import { log as rootLog } from '../../process/log.ts';
import { type Around, tellReadiness } from './holding.ts';
import type { Keepers } from './keepers.ts';
import type { RoleParts } from './role_parts.ts';

const log = rootLog.child({ room: 'egress' });

/** What a machine's clock gains or loses meanwhile is nothing. */
const TIME_MS = 60_000;

/** Longer than a renewal: what other pods have connected is read from their leases. */
const EXAMINE_MS = 4_000;
/** How often it is looked whether a part of a cap is due. */
const ASK_FOR_CAPS_MS = 100;

/**
 * @param closing ends all rounds but the asking for caps, which connections that still end need
 * @param end ends that one
 */
export function startRounds(
  parts: RoleParts,
  around: Around,
  keepers: Keepers,
  closing: AbortSignal,
  end: AbortSignal,
): void {
  const { egress, bounds, physician, time } = around;
  const tellUnheld = unheldTeller(keepers);
  every(EXAMINE_MS, closing, () => void physician.look());
  every(TIME_MS, closing, () => void time.look().catch(() => {}));
  every(1000, closing, () => {
    tellReadiness(parts, egress, keepers);
    tellUnheld();
    for (const { address } of egress.fleet.ipPool?.addresses ?? [])
      bounds.limiter.inherit(address, keepers.lingering(address));
    bounds.limiter.tick();
    bounds.warmup.tick();
    bounds.caps.tend();
  });
  every(ASK_FOR_CAPS_MS, end, () => bounds.caps.tick());
}

function every(ms: number, end: AbortSignal, run: () => void): void {
  const timer = setInterval(run, ms).unref();
  end.addEventListener('abort', () => clearInterval(timer), { once: true });
}

/** Says which addresses are not held here, and why, whenever that is another than before. */
function unheldTeller(keepers: Keepers): () => void {
  let told = '';
  return () => {
    const unheld = keepers.unheld.join('; ');
    if (unheld && unheld !== told) log.info({ unheld: keepers.unheld }, 'addresses not held here');
    told = unheld;
  };
}
