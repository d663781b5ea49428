// A bus whose watches fall deaf, as after a change of leader: they stay open and bring nothing more.
import type { Bus } from './client.ts';

/** @param isDeaf asked at each entry of a watch; `nth`: how many watches there were before this one */
export function falling(bus: Pick<Bus, 'kv'>, isDeaf: (nth: number) => boolean): Bus['kv'] {
  let watches = 0;
  return async (name) => {
    const bucket = await bus.kv(name);
    const watch = async (options: Parameters<typeof bucket.watch>[0]) => {
      const nth = watches++;
      const entries = await bucket.watch(options);
      const heard = async function* () {
        for await (const entry of entries) if (!isDeaf(nth)) yield entry;
      };
      return Object.assign(heard(), { stop: () => entries.stop() });
    };
    return Object.assign(Object.create(bucket), { watch, get: bucket.get.bind(bucket) });
  };
}
