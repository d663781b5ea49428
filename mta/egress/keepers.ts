// The keepers of all addresses of the IPPool: one each, made and ended as the snapshot changes.
import type { IPPoolSnapshot } from '../bus/snapshot.ts';
import { Keeper, type KeeperOptions } from './keeper.ts';

type Address = IPPoolSnapshot['addresses'][number];

export class Keepers {
  readonly #keepers = new Map<string, { readonly form: string; readonly keeper: Keeper }>();
  readonly #optionsOf: (address: Address) => KeeperOptions;
  /** Ends what is open on an address, before its lease is released. */
  readonly #vacate: (address: string) => Promise<void>;
  readonly #leaving = new Map<string, Promise<void>>();
  #wanted: readonly Address[] = [];

  constructor(optionsOf: (address: Address) => KeeperOptions, vacate: (address: string) => Promise<void>) {
    this.#optionsOf = optionsOf;
    this.#vacate = vacate;
  }

  /** Keeps exactly these addresses. One whose binding or mobility changed is given up and then taken anew. */
  keep(addresses: readonly Address[]): void {
    this.#wanted = addresses;
    const forms = new Map(addresses.map((one) => [one.address, formOf(one)]));
    for (const [address, { form }] of this.#keepers)
      if (forms.get(address) !== form) void this.giveUp(address).then(() => this.keep(this.#wanted));
    for (const address of addresses) {
      if (this.#keepers.has(address.address)) continue;
      const keeper = new Keeper(this.#optionsOf(address));
      this.#keepers.set(address.address, { form: formOf(address), keeper });
      keeper.start();
    }
  }

  /** Stops granting on the address, ends its connections, then states that it is free. */
  giveUp(address: string): Promise<void> {
    const leaving = this.#leaving.get(address) ?? this.#giveUp(address);
    this.#leaving.set(address, leaving);
    return leaving;
  }

  async #giveUp(address: string): Promise<void> {
    await this.#vacate(address);
    await this.#keepers.get(address)?.keeper.release();
    this.#keepers.delete(address);
    this.#leaving.delete(address);
  }

  async giveUpAll(): Promise<void> {
    this.#wanted = [];
    await Promise.all([...this.#keepers.keys()].map((address) => this.giveUp(address)));
  }

  /** Whether connections may be granted on it. */
  grants(address: string): boolean {
    return !this.#leaving.has(address) && (this.#keepers.get(address)?.keeper.epoch ?? null) !== null;
  }

  /** Why no address is held, for readiness; null when one is. */
  get obstacle(): string | null {
    const all = [...this.#keepers];
    if (all.some(([, { keeper }]) => keeper.epoch !== null)) return null;
    if (all.length === 0) return 'the IPPool has no address';
    return all.map(([address, { keeper }]) => `${address} ${keeper.obstacle}`).join('; ');
  }
}

const formOf = ({ bindAddress, movable }: Address): string => `${bindAddress ?? ''} ${movable}`;
