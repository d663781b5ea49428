// Connection slots per (address, provider). One egress pod holds an address, so a plain counter here is the exact limit of
// the whole fleet. Who is refused is told when to come back and is remembered for about that long: a free slot goes to
// the pod that has waited longest, so pods take turns even at a limit of one. Nothing queues here: the mail waits at its own pod.

export type SlotAnswer =
  | { readonly taken: true }
  | { readonly taken: false; readonly retryAfterSeconds: number; readonly open: number };

interface Waiting {
  /** When the reservation lapses, in the clock of `now`. */
  readonly until: number;
}
interface Slot {
  open: number;
  /** By caller, longest waiting first. */
  readonly waiting: Map<string, Waiting>;
}

const MAX_RETRY_AFTER_SECONDS = 15;

export class Slots {
  readonly #slots = new Map<string, Slot>();

  /** Takes a slot of `key` for `caller` (pod UID) if fewer than `limit` are open and no one who waited longer needs it. `now` in ms. */
  take(key: string, caller: string, limit: number, now: number): SlotAnswer {
    const slot = this.#slots.get(key) ?? { open: 0, waiting: new Map() };
    this.#slots.set(key, slot);
    dropLapsed(slot.waiting, now);
    const ahead = position(slot.waiting, caller);
    if (slot.open + ahead < limit) {
      slot.open++;
      slot.waiting.delete(caller);
      return { taken: true };
    }
    const retryAfterSeconds = Math.min(MAX_RETRY_AFTER_SECONDS, Math.ceil((ahead + 1) / limit));
    slot.waiting.set(caller, { until: now + (2 * retryAfterSeconds + 1) * 1000 });
    return { taken: false, retryAfterSeconds, open: slot.open };
  }

  /** Counts `count` connections more (or fewer) that are not of this pod. */
  occupy(key: string, count: number): void {
    const slot = this.#slots.get(key) ?? { open: 0, waiting: new Map() };
    this.#slots.set(key, slot);
    slot.open += count;
    if (slot.open === 0 && slot.waiting.size === 0) this.#slots.delete(key);
  }

  /** Gives one back. Once per `take` that was answered `taken`. */
  release(key: string): void {
    const slot = this.#slots.get(key);
    if (!slot || slot.open < 1) throw new Error(`slot of ${key} released more often than taken`);
    slot.open--;
    if (slot.open === 0 && slot.waiting.size === 0) this.#slots.delete(key);
  }

  open(key: string): number {
    return this.#slots.get(key)?.open ?? 0;
  }
}

/** How many wait in front of `caller`; everyone, when it does not wait yet. */
function position(waiting: ReadonlyMap<string, Waiting>, caller: string): number {
  let ahead = 0;
  for (const uid of waiting.keys()) {
    if (uid === caller) return ahead;
    ahead++;
  }
  return ahead;
}

function dropLapsed(waiting: Map<string, Waiting>, now: number): void {
  for (const [uid, { until }] of waiting) if (until < now) waiting.delete(uid);
}
