// What is said once about each kind: names, what it is for, its columns in `kubectl get`, and the length its name may have.
import type { z } from 'zod';
import { ipPoolRules, ipPoolSpec, ipPoolStatus } from './ippool.ts';
import { queuePolicyRules, queuePolicySpec, queuePolicyStatus } from './queuepolicy.ts';
import type { Rule } from './rule.ts';
import { sendingDomainRules, sendingDomainSpec, sendingDomainStatus } from './sendingdomain.ts';
import { sendingPoolRules, sendingPoolSpec, sendingPoolStatus } from './sendingpool.ts';

export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly description?: string;
  /** 1: only with `-o wide`. */
  readonly priority?: 1;
}

export interface Definition {
  readonly kind: 'SendingPool' | 'IPPool' | 'QueuePolicy' | 'SendingDomain';
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly summary: string;
  readonly spec: z.ZodObject;
  readonly status: z.ZodObject;
  // A rule of one kind is called with specs of that kind only; the list holds rules of all kinds.
  readonly rules: readonly Rule<never>[];
  /** Names become parts of pod names, labels and NATS subjects (`.` separates there), so some must be short DNS labels. */
  readonly name: { readonly pattern: string; readonly maxLength: number; readonly why: string };
  readonly columns: readonly Column[];
  readonly scale?: {
    readonly specReplicasPath: string;
    readonly statusReplicasPath: string;
    readonly labelSelectorPath: string;
  };
  readonly selectableFields?: readonly string[];
}

const LABEL = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$';
const SUBDOMAIN = '^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$';

const ready = (field: string): string => `.status.conditions[?(@.type=="Ready")].${field}`;
/** What every kind shows: first whether something is wrong and what, last the age, and with `-o wide` the whole sentence. */
const columns = (...own: Column[]): Column[] => [
  { name: 'Ready', type: 'string', jsonPath: ready('status') },
  { name: 'Reason', type: 'string', jsonPath: ready('reason') },
  ...own,
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  { name: 'Message', type: 'string', jsonPath: ready('message'), priority: 1 },
];

export const definitions: readonly Definition[] = [
  {
    kind: 'SendingPool',
    plural: 'sendingpools',
    singular: 'sendingpool',
    shortNames: ['pfpool'],
    summary: 'Delivery pods that work a queue of their own and send from the addresses of one IPPool.',
    spec: sendingPoolSpec,
    status: sendingPoolStatus,
    rules: sendingPoolRules,
    name: { pattern: LABEL, maxLength: 40, why: 'pods, labels and streams are named after it' },
    columns: columns(
      {
        name: 'Replicas',
        type: 'integer',
        jsonPath: '.status.desiredReplicas',
        description: 'Pods wished for, by spec.replicas or by autoscaling',
      },
      {
        name: 'Running',
        type: 'integer',
        jsonPath: '.status.readyReplicas',
        description: 'Pods that are ready',
      },
      {
        name: 'Backlog',
        type: 'integer',
        jsonPath: '.status.backlog',
        description: 'Recipients in spools plus parcels in streams',
      },
      {
        name: 'Draining',
        type: 'string',
        jsonPath: '.status.drain.pod',
        description: 'The pod that is leaving',
      },
      {
        name: 'Left',
        type: 'integer',
        jsonPath: '.status.drain.left',
        description: 'Recipients that have still to leave it',
      },
      {
        name: 'Scaling',
        type: 'string',
        jsonPath: '.status.autoscaling.reason',
        description: 'What autoscaling thinks; empty without it',
        priority: 1,
      },
      { name: 'IPPool', type: 'string', jsonPath: '.spec.ipPoolRef.name', priority: 1 },
      { name: 'Drain', type: 'string', jsonPath: '.status.drain.step', priority: 1 },
    ),
    scale: {
      specReplicasPath: '.spec.replicas',
      statusReplicasPath: '.status.replicas',
      labelSelectorPath: '.status.selector',
    },
    selectableFields: ['.spec.ipPoolRef.name'],
  },
  {
    kind: 'IPPool',
    plural: 'ippools',
    singular: 'ippool',
    shortNames: ['pfip'],
    summary: 'Source addresses, which outlive every pod: who holds each, and how fast it may grow.',
    spec: ipPoolSpec,
    status: ipPoolStatus,
    rules: ipPoolRules,
    name: { pattern: LABEL, maxLength: 40, why: 'pods, labels and keys are named after it' },
    columns: columns(
      {
        name: 'Held',
        type: 'string',
        jsonPath: '.status.held',
        description: 'Addresses that an egress pod holds, of all',
      },
      {
        name: 'Warming',
        type: 'string',
        jsonPath: '.status.warming',
        description: 'Addresses that warm-up still limits somewhere, of all',
      },
      {
        name: 'Suspended',
        type: 'string',
        jsonPath: '.status.suspended',
        description: 'Addresses that warm-up has stopped for today',
      },
    ),
  },
  {
    kind: 'QueuePolicy',
    plural: 'queuepolicies',
    singular: 'queuepolicy',
    shortNames: ['pfpolicy'],
    summary: 'When to try again and for how long, and the limits at each mailbox provider.',
    spec: queuePolicySpec,
    status: queuePolicyStatus,
    rules: queuePolicyRules,
    name: { pattern: LABEL, maxLength: 63, why: 'SendingPools refer to it by such a name' },
    columns: columns({
      name: 'Used by',
      type: 'string',
      jsonPath: '.status.pools',
      description: 'SendingPools that use it',
    }),
  },
  {
    kind: 'SendingDomain',
    plural: 'sendingdomains',
    singular: 'sendingdomain',
    shortNames: ['pfdomain'],
    summary: 'A domain of From addresses: its accounts, its pool, its DKIM keys and its DNS records.',
    spec: sendingDomainSpec,
    status: sendingDomainStatus,
    rules: sendingDomainRules,
    name: { pattern: SUBDOMAIN, maxLength: 180, why: 'the Secrets of its keys are named after it' },
    columns: columns(
      { name: 'Domain', type: 'string', jsonPath: '.spec.domain' },
      { name: 'Pool', type: 'string', jsonPath: '.spec.poolRef.name' },
      {
        name: 'Records',
        type: 'string',
        jsonPath: '.status.recordsSeen',
        description: 'DNS records that are seen as they should be, of all',
      },
    ),
    selectableFields: ['.spec.poolRef.name', '.spec.domain'],
  },
];
