// The fleet snapshot of a rig: one sending domain, one pool, one IPPool, as the operator would compile them.
import { generateKeyPairSync } from 'node:crypto';
import { domainSnapshotKey, ipPoolSnapshotKey, poolKey, poolSnapshotKey } from '../../mta/bus/names.ts';
import { sealKey } from '../../mta/bus/seal.ts';
import type { DomainSnapshot, IPPoolSnapshot, PoolSnapshot } from '../../mta/bus/snapshot.ts';
import { type QueuePolicySpec, queuePolicySpec, sendingPoolSpec } from '../../resources/kinds.ts';

export const POOL = 'main';

export interface FleetPlan {
  readonly domain: string;
  readonly shards: number;
  readonly addresses: readonly {
    readonly address: string;
    readonly ehlo: string;
    readonly warmed?: boolean;
  }[];
  readonly warmup?: IPPoolSnapshot['warmup'];
  readonly policy?: Partial<Record<keyof QueuePolicySpec, unknown>>;
  readonly dkim?: readonly ('RSA' | 'Ed25519')[];
}

interface Entry<T> {
  readonly key: string;
  readonly value: T;
}

export interface RigSnapshots {
  readonly domain: Entry<DomainSnapshot>;
  readonly pool: Entry<PoolSnapshot>;
  readonly ipPool: Entry<IPPoolSnapshot>;
  readonly dkimRecords: readonly { readonly name: string; readonly value: string }[];
}

/** Compiles the plan; DKIM keys are made anew and sealed under `sealingKey`. */
export function snapshots(namespace: string, plan: FleetPlan, sealingKey: Buffer): RigSnapshots {
  const head = (name: string) =>
    ({ version: 1, namespace, name, uid: `${name}-uid`, generation: 1 }) as const;
  const keys = (plan.dkim ?? ['RSA']).map((algorithm, i) => dkimKey(`pf${i + 1}`, algorithm));
  const addresses = plan.addresses.map((entry) => ({ movable: false, weight: 100, ...entry }));
  const { classes } = sendingPoolSpec.parse({ ipPoolRef: { name: POOL } });
  return {
    domain: {
      key: domainSnapshotKey(plan.domain),
      value: {
        ...head('domain'),
        domain: plan.domain,
        pool: `${namespace}/${POOL}`,
        accounts: [],
        returnPath: null,
        dkim: keys.map(({ selector, algorithm, pem }) => ({
          selector,
          algorithm,
          sealedKey: sealKey(pem, sealingKey),
        })),
      },
    },
    pool: {
      key: poolSnapshotKey(poolKey(`${namespace}/${POOL}`)),
      value: {
        ...head(POOL),
        shards: plan.shards,
        classes,
        ipPool: POOL,
        policy: queuePolicySpec.parse(plan.policy ?? {}),
        intakeClosed: false,
      },
    },
    ipPool: {
      key: ipPoolSnapshotKey(namespace, POOL),
      value: { ...head(POOL), addresses, ...(plan.warmup && { warmup: plan.warmup }) },
    },
    dkimRecords: keys.map(({ selector, record }) => ({
      name: `${selector}._domainkey.${plan.domain}`,
      value: record,
    })),
  };
}

function dkimKey(selector: string, algorithm: 'RSA' | 'Ed25519') {
  const { privateKey, publicKey } =
    algorithm === 'RSA'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ed25519');
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  // RFC 8463 §4: Ed25519 keys are published as the bare 32 bytes, RSA keys as SubjectPublicKeyInfo.
  const bytes = algorithm === 'RSA' ? spki : spki.subarray(-32);
  const record = `v=DKIM1; k=${algorithm.toLowerCase()}; p=${bytes.toString('base64')}`;
  return { selector, algorithm, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), record };
}
