// What the report needs from a cluster: the SendingPools, and the metrics of every mail pod through the API server's proxy.
import { connectByKubeConfig } from '../../operator/runtime/connection.ts';
import { open } from '../../operator/runtime/http.ts';
import { KubeApi } from '../../operator/runtime/transport.ts';
import { GROUP, VERSION } from '../../resources/kinds.ts';
import type { Scrape } from './rates.ts';
import type { IPPoolResource, PoolResource } from './report.ts';
import { parseSamples } from './samples.ts';

const SENDING_POOLS = { group: GROUP, version: VERSION, plural: 'sendingpools', namespaced: true };
const IP_POOLS = { group: GROUP, version: VERSION, plural: 'ippools', namespaced: true };
const PODS = { group: '', version: 'v1', plural: 'pods', namespaced: true };
/** Roles whose counters are summed: who accepts, and who delivers. */
const SELECTOR = 'app.kubernetes.io/name=postfleet,app.kubernetes.io/component in (ingress,delivery)';
const METRICS_PORT = 9090;

export interface Cluster {
  pools(namespace: string): Promise<readonly PoolResource[]>;
  ipPools(namespace: string): Promise<readonly IPPoolResource[]>;
  /** One scrape of all ready mail pods; a pod that does not answer is left out. */
  scrape(namespace: string): Promise<Scrape>;
  close(): Promise<void>;
}

/** The cluster of `KUBECONFIG` (or ~/.kube/config, or the pod's own). */
export function currentCluster(): Cluster {
  const connection = connectByKubeConfig();
  const api = new KubeApi(connection);
  const metrics = async (namespace: string, pod: string) => {
    const path = `/api/v1/namespaces/${namespace}/pods/${pod}:${METRICS_PORT}/proxy/metrics`;
    const answer = await open(connection, {
      method: 'GET',
      path,
      idempotent: true,
      signal: AbortSignal.timeout(5000),
    });
    return parseSamples(await answer.body.text());
  };
  return {
    pools: async (namespace) =>
      (await api.list(SENDING_POOLS, { namespace })).items as unknown as PoolResource[],
    ipPools: async (namespace) =>
      (await api.list(IP_POOLS, { namespace })).items as unknown as IPPoolResource[],
    async scrape(namespace) {
      const { items } = await api.list(PODS, { namespace, labelSelector: SELECTOR });
      const entries = await Promise.all(
        items.map(
          async ({ metadata: { name } }) => [name, await metrics(namespace, name).catch(() => null)] as const,
        ),
      );
      return new Map(entries.flatMap(([name, samples]) => (samples ? [[name, samples] as const] : [])));
    },
    close: () => connection.close(),
  };
}
