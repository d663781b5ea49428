// Who may have what is free: pods take turns, and within what pods take, accounts. Whoever is refused is remembered for as
// long as it was told to stay away; what is free goes first to the pod that has least open, then to the account that has
// least open, then to who has waited longest. Nothing queues here: the mail waits at its own pod. A place is kept only around
// the time its owner was told to come back: what is free now is not kept idle for someone who comes in a quarter of a minute.

/** Who asks: a delivery pod's UID, and the account whose mail it would send ('' when the dialogue does not say). */
export interface Asker {
  readonly pod: string;
  readonly account: string;
}
interface Waiting extends Asker {
  readonly since: number;
  /** When it was told to come back. */
  readonly due: number;
}

/** How long before its owner is due a place holds. */
const EARLY_MS = 1500;
/** And after: Retry-After has whole seconds. */
const LATE_MS = 2000;

export class Turns {
  readonly #waiting = new Map<string, Waiting>();
  readonly #pods = new Map<string, number>();
  readonly #accounts = new Map<string, number>();

  /** How many of those waiting are to be served before `asker`. */
  ahead(asker: Asker, now: number): number {
    const known = this.#waiting.get(keyOf(asker));
    const since = known?.since ?? Number.POSITIVE_INFINITY;
    const [pod, account] = [this.#pods.get(asker.pod) ?? 0, this.#accounts.get(asker.account) ?? 0];
    let ahead = 0;
    for (const [key, one] of this.#waiting) {
      if (one.due + LATE_MS < now) this.#waiting.delete(key);
      else if (one !== known && one.due - EARLY_MS <= now && this.#order(one, pod, account, since) < 0)
        ahead++;
    }
    return ahead;
  }

  /** Negative when `one` comes before an asker with this much open, waiting since then. */
  #order(one: Waiting, pod: number, account: number, since: number): number {
    const byPod = (this.#pods.get(one.pod) ?? 0) - pod;
    if (byPod !== 0) return byPod;
    return (this.#accounts.get(one.account) ?? 0) - account || one.since - since;
  }

  /** Refused, and told to come back after `retryMs`. A place that was kept keeps its age. */
  refused(asker: Asker, now: number, retryMs: number): void {
    const key = keyOf(asker);
    const since = this.#waiting.get(key)?.since ?? now;
    this.#waiting.set(key, { ...asker, since, due: now + retryMs });
  }

  granted(asker: Asker): void {
    this.#waiting.delete(keyOf(asker));
    this.#count(asker, 1);
  }

  ended(asker: Asker): void {
    this.#count(asker, -1);
  }

  #count({ pod, account }: Asker, by: number): void {
    bump(this.#pods, pod, by);
    bump(this.#accounts, account, by);
  }
}

const keyOf = ({ pod, account }: Asker): string => `${pod} ${account}`;

function bump(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
