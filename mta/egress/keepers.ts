// The keepers of the addresses that this pod may hold: one each, made and ended as the snapshot changes.
import type { IPPoolSnapshot, Lingering } from '../bus/snapshot.ts';
import { Keeper, type KeeperOptions } from './keeper.ts';

export type Address = IPPoolSnapshot['addresses'][number];

/** What happens to the connections of an address. */
export interface Endings {
  /** Resolves when none of the address is open, or its patience is over and the rest is closed. */
  readonly vacate: (address: string) => Promise<void>;
  /** Aborts when what is left after a hand-over has to go. */
  readonly over: AbortSignal;
}

export class Keepers {
  readonly #keepers = new Map<string, { readonly form: string; readonly keeper: Keeper }>();
  readonly #optionsOf: (address: Address) => KeeperOptions;
  readonly #endings: Endings;
  readonly #leaving = new Map<string, Promise<void>>();
  #wanted: readonly Address[] = [];
  #place: IPPoolSnapshot['bringUp'];

  constructor(optionsOf: (address: Address) => KeeperOptions, endings: Endings) {
    this.#optionsOf = optionsOf;
    this.#endings = endings;
  }

  /**
   * Keeps exactly these addresses. One whose binding, mobility or place changed is given up and then taken anew.
   * @param place where movable ones are brought up
   */
  keep(addresses: readonly Address[], place = this.#place): void {
    this.#wanted = addresses;
    this.#place = place;
    const formOf = ({ bindAddress, movable }: Address) =>
      JSON.stringify([bindAddress, movable, movable && place]);
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

  /** Stops granting on the address, lets its connections end, then states that it is free: nobody has it until then. */
  giveUp(address: string): Promise<void> {
    return this.#end(address, (keeper) => this.#leave(address, keeper));
  }

  async #leave(address: string, keeper: Keeper): Promise<void> {
    keeper.leave();
    await this.#endings.vacate(address);
    await keeper.release(this.#endings.over);
  }

  /** Stops granting and, where it can be, states at once that it is free; its connections go on. Resolves when they have ended. */
  handOver(address: string): Promise<void> {
    return this.#end(address, async (keeper) => {
      if (!(await keeper.canHandOver())) return this.#leave(address, keeper);
      await keeper.handOver(this.#endings.over);
      await this.#endings.vacate(address);
      await keeper.end();
    });
  }

  #end(address: string, how: (keeper: Keeper) => Promise<void>): Promise<void> {
    const end = async () => {
      const keeper = this.#keepers.get(address)?.keeper;
      if (keeper) await how(keeper);
      this.#keepers.delete(address);
      this.#leaving.delete(address);
    };
    const leaving = this.#leaving.get(address) ?? end();
    this.#leaving.set(address, leaving);
    return leaving;
  }

  /** For the end of the process: a successor may be waiting beside it. */
  async handOverAll(): Promise<void> {
    this.#wanted = [];
    await Promise.all([...this.#keepers.keys()].map((address) => this.handOver(address)));
  }

  /** Whether connections may be granted on it. */
  grants(address: string): boolean {
    const keeper = this.#keepers.get(address)?.keeper;
    return keeper !== undefined && keeper.epoch !== null && !keeper.isUnfit && !this.#leaving.has(address);
  }

  /** The epoch it is held under here, or null. */
  epoch(address: string): number | null {
    return this.#keepers.get(address)?.keeper.epoch ?? null;
  }

  /** Whether a connection granted under `epoch` may carry anything now. */
  mayCarry(address: string, epoch: number): boolean {
    const keeper = this.#keepers.get(address)?.keeper;
    return !keeper || (keeper.mayCarry && (keeper.epoch ?? epoch) === epoch);
  }

  /** Takes an address out, or (null) has it used again. */
  setUnfit(address: string, why: string | null): void {
    this.#keepers.get(address)?.keeper.setUnfit(why);
  }

  /** What holders before still have open on the addresses held here. */
  lingering(address: string): readonly Lingering[] {
    return this.#keepers.get(address)?.keeper.lingering ?? [];
  }

  /** Why this pod can hold none of its addresses, for readiness. One that only waits for its turn is ready to have it. */
  get obstacle(): string | null {
    const all = [...this.#keepers].map(([address, { keeper }]) => ({ address, keeper }));
    if (all.length === 0 || all.some(({ keeper }) => keeper.isWell)) return null;
    return all.map(({ address, keeper }) => `${address} ${keeper.obstacle}`).join('; ');
  }

  /** Why each address that is not held here is not. */
  get unheld(): readonly string[] {
    return [...this.#keepers].flatMap(([address, { keeper }]) =>
      keeper.obstacle === null ? [] : [`${address}: ${keeper.obstacle}`],
    );
  }
}
