// Whether an address is of use, from how its connections fare. Pure. One that cannot be bound, or from which nothing can be reached
// while others of the pool get through, is taken out for a while: mail goes by the others, and it is tried again. A dead host is
// no fault of the address, and when nothing gets through from anywhere that is none either.

export type DialOutcome = 'connected' | 'unbound' | 'failed';

export interface FitnessRules {
  /** In a row. */
  readonly unbound: number;
  /** Different hosts that could not be reached, and none that could. */
  readonly hosts: number;
  /** For at least so long. */
  readonly failingMs: number;
  readonly outMs: number;
  readonly longestOutMs: number;
}
export const FITNESS_RULES: FitnessRules = {
  unbound: 3,
  hosts: 5,
  failingMs: 10_000,
  outMs: 60_000,
  longestOutMs: 15 * 60_000,
};
/** One that comes back proves itself sooner, either way. */
const ON_TRIAL = { unbound: 1, hosts: 2 };
const MOST_HOSTS = 100;

export interface Fitness {
  /** Since its last connection, or since it came back. */
  readonly unbound: number;
  readonly failedHosts: ReadonlySet<string>;
  /** Of the first failure. */
  readonly failingSince: number | null;
  /** The last time it was taken out, until it has proven itself. */
  readonly out: { readonly until: number; readonly forMs: number; readonly why: string } | null;
}
export const FIT: Fitness = { unbound: 0, failedHosts: new Set(), failingSince: null, out: null };

/** Takes in how a connection to `host` fared. */
export function noteDial(fitness: Fitness, outcome: DialOutcome, host: string, now: number): Fitness {
  if (outcome === 'connected') return FIT;
  const { failedHosts } = fitness;
  const failingSince = fitness.failingSince ?? now;
  if (outcome === 'unbound') return { ...fitness, failingSince, unbound: fitness.unbound + 1 };
  if (failedHosts.has(host) || failedHosts.size >= MOST_HOSTS) return { ...fitness, failingSince };
  return { ...fitness, failingSince, failedHosts: new Set([...failedHosts, host]) };
}

/** Whether it must be known if others connect. */
export function isSuspect(fitness: Fitness, now: number, rules: FitnessRules): boolean {
  const most = fitness.out ? ON_TRIAL.hosts : rules.hosts;
  return fitness.failedHosts.size >= most && now - (fitness.failingSince ?? now) >= rules.failingMs;
}

/** @param othersConnect another address of the pool has connected since this one began to fail */
export function judgeFitness(
  fitness: Fitness,
  othersConnect: boolean,
  now: number,
  rules: FitnessRules,
): Fitness {
  const { out, unbound, failedHosts } = fitness;
  if (out && now < out.until) return fitness;
  if (unbound >= (out ? ON_TRIAL.unbound : rules.unbound))
    return takenOut(fitness, 'it cannot be bound on its node', now, rules);
  if (othersConnect && isSuspect(fitness, now, rules)) {
    const why = `none of ${failedHosts.size} hosts could be reached from it, while other addresses connect`;
    return takenOut(fitness, why, now, rules);
  }
  return fitness;
}

function takenOut({ out }: Fitness, why: string, now: number, rules: FitnessRules): Fitness {
  const forMs = Math.min(rules.longestOutMs, out ? 2 * out.forMs : rules.outMs);
  return { ...FIT, out: { until: now + forMs, forMs, why } };
}

/** Why it is out at the moment; null: it may be used. */
export const unfitWhy = ({ out }: Fitness, now: number): string | null =>
  out && now < out.until ? `${out.why}; tried again after ${Math.round(out.forMs / 60_000)} min` : null;
