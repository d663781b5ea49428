// What the operator says of the demo's pool.
import type { SendingPoolStatus } from '../../resources/kinds.ts';
import type { Cluster } from '../cluster/index.ts';
import { NAMESPACE } from '../stage/install.ts';

export interface PoolView {
  readonly replicas: number;
  readonly backlog: number;
  readonly drain: string | null;
}

export async function readPool(cluster: Cluster): Promise<PoolView> {
  const text = await cluster.kubectl(['-n', NAMESPACE, 'get', 'sendingpool', 'demo', '-o', 'json']);
  const status = (JSON.parse(text) as { readonly status?: Partial<SendingPoolStatus> }).status ?? {};
  const { drain } = status;
  return {
    replicas: status.replicas ?? 0,
    backlog: status.backlog ?? 0,
    drain: drain ? `${drain.pod} ${drain.step}, ${drain.left} left` : null,
  };
}
