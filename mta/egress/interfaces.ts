// Which addresses this machine has. An address it lacks is never held, and never replaced by the machine's default: mail
// from the wrong address is worse than mail that waits (kumomta#153).
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

/** The machine's addresses, as the kernel lists them. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}

/** Whether `address` can be bound here: it stands on an interface, or lies in the loopback network (all of 127.0.0.0/8 is local). */
export function machineHas(address: string): boolean {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .some((one) => {
      if (one.address === address) return true;
      if (!one.internal || !one.cidr || one.family.toLowerCase() !== family) return false;
      const network = new BlockList();
      network.addSubnet(one.address, Number(one.cidr.split('/')[1]), family);
      return network.check(address, family);
    });
}
