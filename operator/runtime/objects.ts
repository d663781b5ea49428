// Kubernetes objects as plain JSON: what every one of them has, how they are addressed, where they live.

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  readonly [field: string]: unknown;
}

/** What kinds extend with the fields they are read for; fields beyond the type are kept as they came. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}
export type AnyObject = KubeObject & { readonly [field: string]: unknown };

/** Where a kind lives in the API: `group` is '' for core. */
export interface ResourceType {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

export interface Ref {
  readonly namespace?: string;
  readonly name: string;
}

/** `namespace/name`, or `name` of a cluster-scoped object: the key of queues and caches. */
export type Key = string;

export const keyOf = ({ namespace, name }: Ref): Key => (namespace ? `${namespace}/${name}` : name);

export function refOf(key: Key): Ref {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** `/apis/<group>/<version>/namespaces/<ns>/<plural>[/<name>[/<subresource>]]`, or the collection over all namespaces. */
export function pathOf(type: ResourceType, ref: Partial<Ref> = {}, subresource?: string): string {
  const parts = type.group === '' ? ['api', type.version] : ['apis', type.group, type.version];
  if (type.namespaced && ref.namespace) parts.push('namespaces', ref.namespace);
  parts.push(type.plural);
  if (ref.name) {
    if (type.namespaced && !ref.namespace)
      throw new TypeError(`${type.plural} ${ref.name}: no namespace given`);
    parts.push(ref.name);
  }
  if (subresource) parts.push(subresource);
  return `/${parts.map(encodeURIComponent).join('/')}`;
}

/**
 * Whether resource version `a` is at least as new as `b`. Both must be of one resource type; they are decimal numbers
 * of any length (Kubernetes KEP-5504).
 */
export function atLeastVersion(a: string, b: string): boolean {
  return a.length === b.length ? a >= b : a.length > b.length;
}

/** The kinds of Kubernetes itself that the operator touches. */
export const TYPES = {
  pods: core('pods'),
  services: core('services'),
  secrets: core('secrets'),
  configMaps: core('configmaps'),
  persistentVolumeClaims: core('persistentvolumeclaims'),
  serviceAccounts: core('serviceaccounts'),
  nodes: { ...core('nodes'), namespaced: false },
  namespaces: { ...core('namespaces'), namespaced: false },
  statefulSets: { group: 'apps', version: 'v1', plural: 'statefulsets', namespaced: true },
  deployments: { group: 'apps', version: 'v1', plural: 'deployments', namespaced: true },
  podDisruptionBudgets: { group: 'policy', version: 'v1', plural: 'poddisruptionbudgets', namespaced: true },
  leases: { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', namespaced: true },
  events: { group: 'events.k8s.io', version: 'v1', plural: 'events', namespaced: true },
  customResourceDefinitions: {
    group: 'apiextensions.k8s.io',
    version: 'v1',
    plural: 'customresourcedefinitions',
    namespaced: false,
  },
  tokenReviews: { group: 'authentication.k8s.io', version: 'v1', plural: 'tokenreviews', namespaced: false },
} as const satisfies Record<string, ResourceType>;

function core(plural: string): ResourceType {
  return { group: '', version: 'v1', plural, namespaced: true };
}
