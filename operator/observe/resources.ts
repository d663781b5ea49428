// Kubernetes objects as the operator sees them: plain JSON, parsed once where they come in. The typed client drops fields
// it does not know, so its models are not used for what we own.
import type {
  Condition,
  IPPoolSpec,
  IPPoolStatus,
  QueuePolicySpec,
  QueuePolicyStatus,
  SendingDomainSpec,
  SendingDomainStatus,
  SendingPoolSpec,
  SendingPoolStatus,
} from '../../resources/kinds.ts';

export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A resource of one of the four kinds whose spec has passed its schema. */
export interface Resource<Spec, Status> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec: Spec;
  readonly status?: Partial<Status> & { readonly conditions?: readonly Condition[] };
}

export type SendingPool = Resource<SendingPoolSpec, SendingPoolStatus>;
export type IPPool = Resource<IPPoolSpec, IPPoolStatus>;
export type QueuePolicy = Resource<QueuePolicySpec, QueuePolicyStatus>;
export type SendingDomain = Resource<SendingDomainSpec, SendingDomainStatus>;

export const keyOf = ({ namespace, name }: { namespace: string; name: string }): string =>
  `${namespace}/${name}`;
