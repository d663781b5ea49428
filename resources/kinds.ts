// The four kinds. From these schemas come the TypeScript types, the CRD YAML in crds/, and the tables of docs/resources.md
// (`make generate`). Rules that a schema cannot say stand beside each schema, in CEL and in TypeScript (rule.ts).
export const GROUP = 'postfleet.io';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

export type { AutoscalingSpec, AutoscalingStatus, Recommendation } from './autoscaling.ts';
export { type Condition, conditionSchema } from './fields.ts';
export { type IPPoolSpec, type IPPoolStatus, ipPoolSpec, ipPoolStatus } from './ippool.ts';
export {
  type QueuePolicySpec,
  type QueuePolicyStatus,
  queuePolicySpec,
  queuePolicyStatus,
} from './queuepolicy.ts';
export { type Canary, type RolloutStatus, rolloutStatus } from './rollout.ts';
export {
  type SendingDomainSpec,
  type SendingDomainStatus,
  sendingDomainSpec,
  sendingDomainStatus,
} from './sendingdomain.ts';
export {
  type Member,
  memberSchema,
  type SendingPoolSpec,
  type SendingPoolStatus,
  type Stranded,
  sendingPoolSpec,
  sendingPoolStatus,
} from './sendingpool.ts';
