// Who may have what is free: pods take turns, and within what pods take, accounts. Whoever is refused is remembered for as
// long as it was told to stay away; what is free goes first to the pod that has least open, then to the account that has
// least open, then to who has waited longest. Nothing queues here: the mail waits at its own pod.

/** Who asks: a delivery pod's UID, and the account whose mail it would send ('' when the dialogue does not say). */
export interface Asker {
  readonly pod: string;
  readonly account: string;
}
interface Waiting extends Asker {
  readonly since: number;
  readonly until: number;
}

export class Turns {
  readonly #waiting = new Map<string, Waiting>();
  readonly #pods = new Map<string, number>();
  readonly #accounts = new Map<string, number>();

  /** How many of those waiting are to be served before `asker`. */
  ahead(asker: Asker, now: number): number {
    const own = this.#waiting.get(keyOf(asker)) ?? { ...asker, since: now };
    let ahead = 0;
    for (const [key, one] of this.#waiting)
      if (one.until < now) this.#waiting.delete(key);
      else if (this.#before(one, own)) ahead++;
    return ahead;
  }

  /** Refused, and told to come back after `retryMs`. A place that was kept keeps its age. */
  refused(asker: Asker, now: number, retryMs: number): void {
    const since = this.#waiting.get(keyOf(asker))?.since ?? now;
    this.#waiting.set(keyOf(asker), { ...asker, since, until: now + 2 * retryMs + 1000 });
  }

  granted(asker: Asker): void {
    this.#waiting.delete(keyOf(asker));
    this.#count(asker, 1);
  }

  ended(asker: Asker): void {
    this.#count(asker, -1);
  }

  #before(a: Waiting, b: Asker & { readonly since: number }): boolean {
    if (a.pod === b.pod && a.account === b.account) return false;
    const order =
      (this.#pods.get(a.pod) ?? 0) - (this.#pods.get(b.pod) ?? 0) ||
      (this.#accounts.get(a.account) ?? 0) - (this.#accounts.get(b.account) ?? 0) ||
      a.since - b.since;
    // Of two that came at once the one that is already waiting is first.
    return order < 0 || (order === 0 && !this.#waiting.has(keyOf(b)));
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
