// Reads and writes the KV bucket `fleet`. Each write names the revision it replaces, so that an operator that has lost the
// lead without noticing cannot write over its successor.
import type { KV } from '@nats-io/kv';
import type { Bus } from '../../mta/bus/client.ts';
import { FLEET_BUCKET } from '../../mta/bus/names.ts';

export interface Stored<T> {
  readonly value: T;
  /** Revision of the key; 0: it does not exist. */
  readonly revision: number;
}

export class FleetStore {
  readonly #bus: Pick<Bus, 'kv'>;
  #kv: Promise<KV> | null = null;

  constructor(bus: Pick<Bus, 'kv'>) {
    this.#bus = bus;
  }

  async #bucket(): Promise<KV> {
    this.#kv ??= this.#bus.kv(FLEET_BUCKET);
    try {
      return await this.#kv;
    } catch (error) {
      this.#kv = null;
      throw error;
    }
  }

  async read<T>(key: string): Promise<Stored<T | null>> {
    const entry = await (await this.#bucket()).get(key);
    if (!entry) return { value: null, revision: 0 };
    return entry.operation === 'PUT'
      ? { value: entry.json<T>(), revision: entry.revision }
      : { value: null, revision: entry.revision };
  }

  /** Writes `value` over revision `revision`; throws when somebody else has written since. */
  async write(key: string, value: unknown, revision: number): Promise<void> {
    const kv = await this.#bucket();
    const text = JSON.stringify(value);
    await (revision === 0 ? kv.create(key, text) : kv.update(key, text, revision));
  }

  /** Writes only when the value differs; true: it was written. */
  async put(key: string, value: unknown): Promise<boolean> {
    const stored = await this.read<unknown>(key);
    if (JSON.stringify(stored.value) === JSON.stringify(value)) return false;
    await this.write(key, value, stored.revision);
    return true;
  }

  async remove(key: string): Promise<void> {
    await (await this.#bucket()).delete(key);
  }
}
