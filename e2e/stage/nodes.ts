// A stage of several nodes: which of them has which sending address, and what runs where.
import type { Cluster } from '../cluster/index.ts';
import type { UpOptions } from '../cluster/options.ts';

/** By address: a node, counted from 1, or the nodes' shared segment, on which any of them may take it. */
export type Homes = Readonly<Record<string, number | 'segment'>>;

/** What the cluster is asked for. An address that `homes` does not name is on node 1. Pure. */
export function homesOf(
  addresses: readonly string[],
  homes: Homes = {},
): Required<Pick<UpOptions, 'sendingAddresses' | 'movableAddresses'>> {
  const placed = addresses.map((address) => ({ address, home: homes[address] ?? 1 }));
  return {
    sendingAddresses: placed.flatMap(({ address, home }) =>
      home === 'segment' ? [] : [{ address, node: home }],
    ),
    movableAddresses: placed.flatMap(({ address, home }) => (home === 'segment' ? [address] : [])),
  };
}

/** Does `work` while no other node than the first takes pods. Volumes are local, so what is placed then stays. */
export async function onFirstNode(
  cluster: Pick<Cluster, 'kubectl'>,
  nodes: number,
  work: () => Promise<void>,
): Promise<void> {
  const others = Array.from({ length: nodes - 1 }, (_, i) => `node${i + 2}`);
  // Whatever a run that was cut off left.
  await cluster.kubectl(['uncordon', 'node1']);
  for (const node of others) await cluster.kubectl(['cordon', node]);
  try {
    await work();
  } finally {
    for (const node of others) await cluster.kubectl(['uncordon', node]);
  }
}
