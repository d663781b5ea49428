// What no SendingPool can be.
import type { Refused } from './refused.fixture.ts';

/** With what it cannot be without. */
export const pool = (spec: object): object => ({ ipPoolRef: { name: 'demo' }, ...spec });

export const refusedSendingPools: readonly Refused[] = [
  {
    what: 'an unknown drain mode',
    spec: pool({ drain: { mode: 'Explode' } }),
    says: ['spec.drain.mode', 'Explode', '"Transfer", "Wait"'],
  },
  { what: 'no IPPool', spec: {}, says: ['spec.ipPoolRef', 'Required'] },
  {
    what: 'a negative number of replicas',
    spec: pool({ replicas: -1 }),
    says: ['spec.replicas', '-1', 'greater than or equal to 0'],
  },
  {
    what: 'more replicas than shards',
    spec: pool({ replicas: 9, shards: 8 }),
    says: ['spec.replicas', 'shards must be at least replicas', '8 shards, 9 replicas'],
  },
  {
    what: 'fewer pods at most than at least',
    spec: pool({ autoscaling: { min: 4, max: 3 } }),
    says: ['spec.autoscaling', 'must not be above', 'min 4, max 3'],
  },
  {
    what: 'more pods by autoscaling than shards',
    spec: pool({ shards: 8, autoscaling: { max: 9 } }),
    says: ['spec.autoscaling', 'shards must be at least autoscaling.max', '8 shards, max 9'],
  },
  {
    what: 'autoscaling without an upper bound',
    spec: pool({ autoscaling: { min: 2 } }),
    says: ['spec.autoscaling.max', 'Required'],
  },
  {
    what: 'autoscaling to zero',
    spec: pool({ autoscaling: { min: 0, max: 3 } }),
    says: ['spec.autoscaling.min', 'greater than or equal to 1'],
  },
  {
    what: 'a stabilization window of more than an hour',
    spec: pool({ autoscaling: { max: 3, stabilizationSeconds: { down: 3601 } } }),
    says: ['spec.autoscaling.stabilizationSeconds.down', 'less than or equal to 3600'],
  },
  {
    what: 'a target of nothing',
    spec: pool({ autoscaling: { max: 3, target: { readyPerPod: 0 } } }),
    says: ['spec.autoscaling.target.readyPerPod', 'greater than or equal to 1'],
  },
  {
    what: 'shrinking shards',
    old: pool({ shards: 8 }),
    spec: pool({ shards: 7 }),
    says: ['spec.shards', 'never shrink', '8 to 7'],
  },
  {
    what: 'replicas to 0',
    old: pool({ replicas: 2 }),
    spec: pool({ replicas: 0 }),
    says: ['spec.replicas', 'cannot be lowered to 0', '2 to 0', 'deletionPolicy: Drain'],
  },
  {
    what: 'a class twice',
    spec: pool({
      classes: [
        { name: 'bulk', weight: 1 },
        { name: 'bulk', weight: 2 },
      ],
    }),
    says: ['spec.classes', 'only once', 'bulk'],
  },
  {
    what: 'the class of transfers',
    spec: pool({ classes: [{ name: 'transfer', weight: 1 }] }),
    says: ['spec.classes', 'is kept for', 'transfer'],
  },
  {
    what: 'a volume that shrinks',
    old: pool({ storage: { size: '1Gi' } }),
    spec: pool({ storage: { size: '1023Mi' } }),
    says: ['spec.storage.size', 'never shrink', '1Gi to 1023Mi'],
  },
  {
    what: 'another storage class',
    old: pool({}),
    spec: pool({ storage: { storageClassName: 'fast' } }),
    says: ['spec.storage', 'cannot be changed', 'fast'],
  },
  {
    what: 'too many labels',
    spec: pool({
      podTemplate: { labels: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`l${n}`, 'x'])) },
    }),
    says: ['spec.podTemplate.labels', '32'],
  },
];
