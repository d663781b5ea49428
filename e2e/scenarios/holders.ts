// How long each address had nobody, from what egress pods log of it: their clocks are the machine's, whatever it has to do besides.
import type { Cluster } from '../cluster/index.ts';

const PODS = [
  '-n',
  'postfleet-egress',
  'logs',
  '-l',
  'app.kubernetes.io/component=egress',
  '--max-log-requests=20',
];

/**
 * Follows the egress pods that are there now. The promise resolves when they have all ended, with, by address, the longest time in ms
 * between the end of a hold and the beginning of the next.
 */
export async function watchHolders(cluster: Pick<Cluster, 'kubectl'>): Promise<Record<string, number>> {
  // What they say from now on; what their successors have said since they began.
  const before = await cluster.kubectl([...PODS, '--follow', '--tail=0']);
  return longestGaps(`${before}\n${await cluster.kubectl([...PODS, '--tail=-1'])}`);
}

interface Line {
  readonly msg?: string;
  readonly time?: string;
  readonly address?: string;
}

/** From log lines in any order. Pure. */
export function longestGaps(log: string): Record<string, number> {
  const events = log
    .split('\n')
    .flatMap(parsed)
    .filter(({ msg }) => msg === 'address held' || msg === 'address not held')
    .map(({ msg, time = '', address = '' }) => ({
      held: msg === 'address held',
      at: Date.parse(time),
      address,
    }))
    .sort((a, b) => a.at - b.at);
  const gaps: Record<string, number> = {};
  const endedAt = new Map<string, number>();
  for (const { held, at, address } of events) {
    const ended = endedAt.get(address);
    if (held && ended !== undefined) gaps[address] = Math.max(gaps[address] ?? 0, at - ended);
    if (held) endedAt.delete(address);
    else if (ended === undefined) endedAt.set(address, at);
  }
  for (const address of endedAt.keys()) gaps[address] = Number.POSITIVE_INFINITY;
  return gaps;
}

function parsed(line: string): Line[] {
  try {
    return [JSON.parse(line) as Line];
  } catch {
    return [];
  }
}
