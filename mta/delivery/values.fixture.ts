// The fleet that delivery's integration tests run in, as the operator would have written it.
import { randomUUID } from 'node:crypto';
import { queuePolicySpec } from '../../resources/kinds.ts';
import { poolKey } from '../bus/names.ts';

export const POOL = 'mail/main';
export const KEY = poolKey(POOL);
export const SHARDS = 2;
export const SOURCES = ['127.0.0.31', '127.0.0.32'];
export const CLASSES = [
  { name: 'transactional', weight: 10 },
  { name: 'bulk', weight: 1 },
];

/** Quick retries, so that tests see them. */
export const POLICY = queuePolicySpec.parse({ retry: { intervals: ['1s'], jitter: 0 } });

const base = { version: 1, namespace: 'mail', uid: 'u1', generation: 1 };
export const ipPoolValue = {
  ...base,
  // The lock of an address among the processes of this machine is by it: test runs side by side do not meet.
  uid: randomUUID(),
  name: 'ips',
  addresses: SOURCES.map((address) => ({ address, ehlo: 'out.example.com', movable: true, weight: 100 })),
};
export const poolValue = {
  ...base,
  name: 'main',
  shards: SHARDS,
  classes: CLASSES,
  ipPool: 'ips',
  intakeClosed: false,
};
