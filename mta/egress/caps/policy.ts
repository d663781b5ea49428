// The caps over an IPPool out of the policies of the pools that send through it. By the provider's name alone, for the lender sees no destination. Pure.
import { hasWindows, type PoolLimits } from '../../policy/limits/poolcap.ts';
import { type Limits, limitsNamed, type Shaping } from '../../policy/provider.ts';

type Caps = NonNullable<Limits['pool']>;
const FIELDS = [
  'connections',
  'perSecond',
  'perMinute',
  'perHour',
  'perDay',
  'connectionAttemptsPerMinute',
] as const satisfies readonly (keyof Caps)[];

/** Whether a cap is set for anybody. */
export const anyCap = (shapings: readonly Shaping[]): boolean =>
  shapings.some((one) =>
    [one.default, ...one.providers.map(({ limits }) => limits)].some(({ pool }) => isSet(pool)),
  );

const isSet = (pool: Caps | undefined): boolean => FIELDS.some((field) => pool?.[field] !== undefined);

/** What holds at the provider: of each field the strictest; null: no cap. */
export function poolCap(shapings: readonly Shaping[], provider: string): PoolLimits | null {
  const all = shapings.map((one) => limitsNamed(one, provider));
  const least = (field: (typeof FIELDS)[number]): number | null => {
    const set = all.flatMap(({ pool }) => pool?.[field] ?? []);
    return set.length > 0 ? Math.min(...set) : null;
  };
  const limits: PoolLimits = {
    connections: least('connections'),
    attemptsPerMinute: least('connectionAttemptsPerMinute'),
    messages: {
      second: least('perSecond'),
      minute: least('perMinute'),
      hour: least('perHour'),
      day: least('perDay'),
    },
  };
  const isCapped =
    limits.connections !== null || limits.attemptsPerMinute !== null || hasWindows(limits.messages);
  return isCapped ? limits : null;
}

/** Remembers what was found until the policies change, and gives the same object for the same cap. */
export class CapBook {
  #shapings: readonly Shaping[] = [];
  #known = new Map<string, PoolLimits | null>();
  #old = new Map<string, PoolLimits | null>();

  set(shapings: readonly Shaping[]): void {
    if (shapings.length === this.#shapings.length && shapings.every((one, at) => one === this.#shapings[at]))
      return;
    this.#shapings = shapings;
    for (const [name, cap] of this.#known) this.#old.set(name, cap);
    this.#known = new Map();
  }

  of(provider: string): PoolLimits | null {
    const known = this.#known.get(provider);
    if (known !== undefined) return known;
    const cap = poolCap(this.#shapings, provider);
    const old = this.#old.get(provider) ?? null;
    const same = JSON.stringify(cap) === JSON.stringify(old) ? old : cap;
    this.#known.set(provider, same);
    return same;
  }
}
