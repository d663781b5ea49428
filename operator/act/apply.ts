// Server-side apply of what the builders want, without asking the API server again for what stands already.
import type { Manifest } from '../desired/settings.ts';
import type { AnyObject, Ref, ResourceType } from '../runtime/objects.ts';
import type { KubeApi } from '../runtime/transport.ts';

/** What was applied is applied again after this long, so that a field somebody changed comes back. */
const TRUST_MS = 60_000;

export class Applier {
  readonly #api: KubeApi;
  readonly #now: () => number;
  readonly #applied = new Map<string, { readonly text: string; readonly at: number }>();

  constructor(api: KubeApi, now: () => number) {
    this.#api = api;
    this.#now = now;
  }

  /** @param exists false: it is known to be absent, so it is applied whatever was done before. */
  async apply(type: ResourceType, manifest: Manifest, exists = true): Promise<void> {
    const key = `${type.plural}/${manifest.metadata.namespace}/${manifest.metadata.name}`;
    const text = JSON.stringify(manifest);
    const before = this.#applied.get(key);
    if (exists && before?.text === text && this.#now() - before.at < TRUST_MS) return;
    await this.#api.apply(type, manifest as unknown as AnyObject);
    this.#applied.set(key, { text, at: this.#now() });
  }

  /** Deletes what is not wanted, if it is there. */
  async remove(type: ResourceType, ref: Ref): Promise<void> {
    const key = `${type.plural}/${ref.namespace}/${ref.name}`;
    const before = this.#applied.get(key);
    if (before?.text === '' && this.#now() - before.at < TRUST_MS) return;
    await this.#api.delete(type, ref);
    this.#applied.set(key, { text: '', at: this.#now() });
  }
}
