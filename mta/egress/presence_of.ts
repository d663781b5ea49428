// How an address comes to be on this machine: it is there already, or egress brings it up on the interface that the pool names.
import { log as rootLog } from '../../process/log.ts';
import type { IPPoolSnapshot } from '../bus/snapshot.ts';
import { announce } from './announce.ts';
import { broughtUpPresence } from './bringup.ts';
import type { Clock } from './clock.ts';
import { linkFor } from './interfaces.ts';
import { ipLinks } from './links.ts';
import { fixedPresence, type Presence } from './presence.ts';

const log = rootLog.child({ room: 'egress' });
const links = ipLinks();

/** @param where it is brought up; undefined: it is there without egress */
export function presenceOf(address: string, where: IPPoolSnapshot['bringUp'], clock: Clock): Presence {
  if (where === undefined) return fixedPresence(address);
  const name =
    where.interface === undefined
      ? `interface with an address of ${where.segment} (placement.segment)`
      : `interface ${where.interface} (placement.interface)`;
  return broughtUpPresence(address, name, {
    links,
    link: () => linkFor(where),
    announce,
    now: clock.now,
    later: clock.after,
    warn: (error) => log.warn({ err: error, address }, 'neighbours were not told of the address'),
  });
}
