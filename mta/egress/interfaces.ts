// Which addresses this machine has. An address it lacks is never held, and never replaced by the machine's default: mail
// from the wrong address is worse than mail that waits (kumomta#153).
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

/** The machine's addresses, as the kernel lists them. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}

export interface Link {
  readonly name: string;
  /** `aa:bb:cc:dd:ee:ff` */
  readonly mac: string;
}

/** The interface of that name, or the first with an address of the network; null when there is none. */
export function linkFor(where: {
  readonly interface?: string | undefined;
  readonly segment?: string | undefined;
}): Link | null {
  const all = Object.entries(networkInterfaces()).map(([name, list = []]) => ({ name, list }));
  const isIn = where.segment === undefined ? () => false : inNetwork(where.segment);
  const found = all.find(({ name, list }) =>
    where.interface === undefined
      ? list.some(({ address, internal }) => !internal && isIn(address))
      : name === where.interface,
  );
  const mac = found?.list[0]?.mac;
  return found && mac ? { name: found.name, mac } : null;
}

function inNetwork(cidr: string): (address: string) => boolean {
  const [network = '', bits] = cidr.split('/');
  const families = { 4: 'ipv4', 6: 'ipv6' } as const;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), families[isIP(network) as 4 | 6]);
  return (address) =>
    isIP(address) === isIP(network) && list.check(address, families[isIP(address) as 4 | 6]);
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
