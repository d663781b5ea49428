// Asks DNS for TXT records, with bounds.
import { Resolver } from 'node:dns/promises';
import type { RecordStatus, WantedRecord } from '../desired/dns-records.ts';
import { recordStatus } from '../desired/dns-records.ts';

const NOTHING_THERE = ['ENOTFOUND', 'ENODATA'];

export class RecordWatcher {
  readonly #resolver = new Resolver({ timeout: 2000, tries: 2 });

  /** @param servers `address` or `address:port`; empty: the system's. */
  constructor(servers: readonly string[]) {
    if (servers.length) this.#resolver.setServers(servers);
  }

  /** The status of each record; one that cannot be asked is `Unknown`. Never rejects; takes a few seconds at most. */
  look(wanted: readonly WantedRecord[]): Promise<RecordStatus[]> {
    return Promise.all(wanted.map(async (record) => recordStatus(record, await this.#texts(record.name))));
  }

  async #texts(name: string): Promise<string[] | null> {
    try {
      const answers = await this.#resolver.resolveTxt(name);
      return answers.map((chunks) => chunks.join(''));
    } catch (error) {
      return NOTHING_THERE.includes((error as NodeJS.ErrnoException).code ?? '') ? [] : null;
    }
  }
}
