// The fleet snapshot as it changes, and what follows from it: which addresses are kept, which caps hold, whose complaints count.
import { log as rootLog } from '../../process/log.ts';
import { followKeys } from '../bus/follow.ts';
import { FLEET_BUCKET } from '../bus/names.ts';
import type { Bounds } from './bounds.ts';
import { usesIpPool } from './decide.ts';
import type { Egress } from './egress.ts';
import type { Keepers } from './keepers.ts';
import { eligible } from './placement.ts';
import type { RoleParts } from './role_parts.ts';

const log = rootLog.child({ room: 'egress' });

export interface Followers {
  readonly egress: Egress;
  readonly keepers: Keepers;
  readonly bounds: Bounds;
}

/**
 * Resolves when `end` aborts.
 * @param closing from when on no address is taken any more
 */
export function followFleet(
  { settings, bus }: RoleParts,
  followers: Followers,
  closing: AbortSignal,
  end: AbortSignal,
): Promise<void> {
  const { fleet } = followers.egress;
  return followKeys(
    () => bus.kv(FLEET_BUCKET),
    {
      keys: fleet.keys,
      apply: (entry) => {
        followers.egress.apply(entry.key, entry.operation === 'PUT' ? entry.json() : null);
        applyCaps(followers);
        if (entry.key.startsWith('ippool.') && !closing.aborted)
          applyIpPool(followers, settings.POSTFLEET_NODE_NAME);
      },
      passed: (keys) => {
        fleet.keepOnly(keys);
        applyCaps(followers);
      },
      failed: (error, key) => log.warn({ err: error, key }, 'fleet snapshot'),
    },
    end,
  );
}

function applyCaps({ egress, bounds }: Followers): void {
  const { ipPool, pools } = egress.fleet;
  bounds.caps.apply(ipPool ? [...pools.values()].filter((pool) => usesIpPool(pool, ipPool)) : []);
}

function applyIpPool({ egress, keepers, bounds }: Followers, node: string): void {
  const { ipPool } = egress.fleet;
  bounds.warmup.replan();
  const mine = eligible(ipPool, node);
  keepers.keep(mine, ipPool?.bringUp);
  bounds.complaints.follow(ipPool?.warmup ? mine.map(({ address }) => address) : []);
}
