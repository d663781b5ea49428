// Asks DNS about source addresses: their names, whether the names lead back, and, where the pool asks for it, DNS blocklists. With bounds
// of its own: few questions at once, one short try each, so that a list that does not answer costs nothing else.
import { Resolver } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { type AddressRecords, listQuery } from '../desired/address-records.ts';

export interface WantedAddress {
  readonly address: string;
  readonly ehlo: string;
}

const NOTHING_THERE = ['ENOTFOUND', 'ENODATA'];
const AT_ONCE = 8;
const TIMEOUT_MS = 2000;

export class AddressWatcher {
  readonly #resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 2 });
  readonly #lists = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });

  /** @param servers `address` or `address:port`; empty: the system's. */
  constructor(servers: readonly string[]) {
    if (!servers.length) return;
    this.#resolver.setServers(servers);
    this.#lists.setServers(servers);
  }

  /** What DNS says of each address and its EHLO name. Never rejects. */
  records(wanted: readonly WantedAddress[]): Promise<AddressRecords[]> {
    return inTurns(wanted, async ({ address, ehlo }) => {
      const forward = isIPv6(address) ? this.#resolver.resolve6(ehlo) : this.#resolver.resolve4(ehlo);
      const [names, addresses] = await Promise.all([
        orNothing(this.#resolver.reverse(address)),
        orNothing(forward),
      ]);
      return { address, ehlo, names, addresses };
    });
  }

  /** What each DNS blocklist answers for each address; null: it did not answer. Never rejects. */
  listings(addresses: readonly string[], zones: readonly string[]) {
    const all = addresses.flatMap((address) => zones.map((zone) => ({ address, zone })));
    return inTurns(all, async ({ address, zone }) => ({
      address,
      zone,
      answers: await orNothing(this.#lists.resolve4(listQuery(address, zone))),
    }));
  }
}

/** Empty: it is not there; null: DNS does not say. */
async function orNothing(answer: Promise<string[]>): Promise<string[] | null> {
  try {
    return await answer;
  } catch (error) {
    return NOTHING_THERE.includes((error as NodeJS.ErrnoException).code ?? '') ? [] : null;
  }
}

/** In the order given, at most `AT_ONCE` at a time. */
async function inTurns<T, R>(list: readonly T[], ask: (one: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  let next = 0;
  const work = async () => {
    for (let at = next++; at < list.length; at = next++) answers[at] = await ask(list[at] as T);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return answers;
}
