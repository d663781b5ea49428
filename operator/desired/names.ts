// Names and labels of what the operator makes.
import { createHash } from 'node:crypto';
import { API_VERSION } from '../../resources/kinds.ts';
import type { ObjectMeta } from '../observe/resources.ts';

/** Held on every SendingPool and IPPool until what it stands for is cleared away. */
export const FINALIZER = 'postfleet.io/cleanup';

export const LABELS = {
  name: 'app.kubernetes.io/name',
  component: 'app.kubernetes.io/component',
  pool: 'postfleet.io/pool',
  poolUid: 'postfleet.io/pool-uid',
  ipPool: 'postfleet.io/ip-pool',
  ipPoolUid: 'postfleet.io/ip-pool-uid',
  domain: 'postfleet.io/sending-domain',
  /** Hash of the node an egress Deployment is for. */
  egressNode: 'postfleet.io/egress-node',
} as const;
/** On a node: the addresses that it has, separated by commas. */
export const NODE_ADDRESSES_ANNOTATION = 'postfleet.io/addresses';
/** On an egress Deployment: the hash of its pod template, and which of the pool's two pairs of ports that uses. */
export const TEMPLATE_ANNOTATION = 'postfleet.io/template';
export const PORTS_ANNOTATION = 'postfleet.io/ports';
/** On a volume claim: a pod of this volume was given shards, so it may hold mail. Written before the first assignment. */
export const USED_ANNOTATION = 'postfleet.io/used-since';
/** Its pod was proven empty right before replicas were lowered; taken off when it is given shards again. */
export const PROVEN_EMPTY_ANNOTATION = 'postfleet.io/proven-empty';
/** On a SendingPool: how pods leave, for one drain, instead of `spec.drain.mode`. */
export const DRAIN_MODE_ANNOTATION = 'postfleet.io/drain-mode';
/** On a SendingPool: gives stranded mail up. `<claim>=<recipients>`, several with commas; it has to name what is at stake. */
export const GIVE_UP_ANNOTATION = 'postfleet.io/give-up-stranded';
/** On a claim whose mail was given up: how many recipients, and when. */
export const GIVEN_UP_ANNOTATION = 'postfleet.io/given-up';
/** On a generated DKIM secret. */
export const SELECTOR_ANNOTATION = 'postfleet.io/dkim-selector';

export const SPOOL_VOLUME = 'spool';
export const deliveryName = (pool: string): string => `${pool}-delivery`;
/** One Deployment for each node; without nodes to choose from, one for the pool. A node's name may be longer than there is room. */
export const egressName = (ipPool: string, node: string | null): string =>
  node === null ? `${ipPool}-egress` : `${ipPool}-egress-${nodeHash(node)}`;
export const nodeHash = (node: string): string => createHash('sha256').update(node).digest('hex').slice(0, 8);
export const dkimSecretName = (domain: string, selector: string): string => `${domain}-dkim-${selector}`;

export const DELIVERY_LABELS = { [LABELS.name]: 'postfleet', [LABELS.component]: 'delivery' } as const;
export const EGRESS_LABELS = { [LABELS.name]: 'postfleet', [LABELS.component]: 'egress' } as const;

export const deliverySelector = (pool: string): Record<string, string> => ({
  ...DELIVERY_LABELS,
  [LABELS.pool]: pool,
});

export const egressSelector = (ipPool: string): Record<string, string> => ({
  ...EGRESS_LABELS,
  [LABELS.ipPool]: ipPool,
});

/** A label selector as the scale subresource and list requests want it. */
export const selectorText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');

export const ownerReference = (kind: string, meta: ObjectMeta) => ({
  apiVersion: API_VERSION,
  kind,
  name: meta.name,
  uid: meta.uid,
  controller: true,
  blockOwnerDeletion: true,
});

/**
 * The CONNECT port of an IPPool's egress pods, even, in 20000–29998; metrics are on the next one. It comes from the UID
 * because egress pods of several IPPools share one host network. There are two such pairs, so that a new pod can be ready
 * beside the one it follows.
 */
export function egressPort(uid: string, pair: 0 | 1): number {
  return 20_000 + 4 * (createHash('sha256').update(uid).digest().readUInt32BE(0) % 2500) + 2 * pair;
}
