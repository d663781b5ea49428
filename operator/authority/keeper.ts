// Keeps what the authority publishes: its certificate as a ConfigMap in both namespaces, and the servers' certificates.
import { type Clock, systemClock } from '../runtime/clock.ts';
import { Controller } from '../runtime/controller.ts';
import { type KubeObject, TYPES } from '../runtime/objects.ts';
import type { KubeApi } from '../runtime/transport.ts';
import type { Authority } from './authority.ts';
import { MANAGED_BY } from './secrets.ts';
import { keepServerCertificate, SERVERS, type ServerCertificate } from './server-certificates.ts';

export const AUTHORITY_CONFIG_MAP = 'postfleet-ca';

export interface KeeperOptions {
  readonly api: Pick<KubeApi, 'get' | 'create' | 'update' | 'apply'>;
  readonly authority: Authority;
  /** Of the release: Secrets and ConfigMap. */
  readonly namespace: string;
  /** Where pods need `ca.crt` as well: the egress namespace, and those of SendingPools. */
  readonly otherNamespaces: readonly string[];
  readonly servers?: readonly ServerCertificate[];
  readonly clock?: Clock;
}

/** Looked at again this often: somebody may have deleted one. */
const AGAIN_SECONDS = 600;

/** Brings ConfigMaps and Secrets up to date once. */
export async function publishAuthority(options: KeeperOptions): Promise<void> {
  const { api, authority, namespace, otherNamespaces, servers = SERVERS, clock = systemClock } = options;
  for (const place of new Set([namespace, ...otherNamespaces])) {
    await api.apply(TYPES.configMaps, configMap(place, authority.ca));
  }
  for (const server of servers) {
    await keepServerCertificate(api, authority, namespace, server, clock.now());
  }
}

/** A controller that does so at its start and every ten minutes. */
export function authorityController(options: KeeperOptions): Controller {
  const reconcile = async () => {
    await publishAuthority(options);
    return { requeueAfterSeconds: AGAIN_SECONDS };
  };
  return new Controller({ name: 'authority', reconcile, clock: options.clock ?? systemClock }).always(
    'authority',
  );
}

function configMap(namespace: string, ca: string): KubeObject & { readonly data: Record<string, string> } {
  const metadata = {
    namespace,
    name: AUTHORITY_CONFIG_MAP,
    labels: { 'app.kubernetes.io/name': 'postfleet', ...MANAGED_BY },
  };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'ca.crt': ca } };
}
