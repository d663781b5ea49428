// What `postfleet status` prints, as data: from the resources' status and two scrapes. Pure.
import type { IPPoolStatus, SendingPoolStatus } from '../../resources/kinds.ts';
import { ratesBy, type Scrape } from './rates.ts';

export interface PoolResource {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly replicas: number; readonly ipPoolRef: { readonly name: string } };
  readonly status?: Partial<SendingPoolStatus>;
}

export interface IPPoolResource {
  readonly metadata: { readonly name: string };
  readonly status?: Partial<IPPoolStatus>;
}

/** One address at one provider. */
export interface WarmupRow {
  readonly address: string;
  readonly provider: string;
  readonly day: number;
  readonly used: number;
  /** Null: no limit any more. */
  readonly allowance: number | null;
  readonly state: string;
}

export interface Flow {
  readonly name: string;
  readonly delivered: number;
  readonly deferred: number;
  readonly bounced: number;
}

export interface PoolReport {
  readonly name: string;
  readonly ready: string;
  readonly state: string;
  readonly backlog: number;
  readonly drain: string | null;
  /** What autoscaling has decided, and why; null: the number is fixed. */
  readonly autoscaling: string | null;
  readonly acceptedPerSecond: number;
  readonly total: Flow;
  readonly members: SendingPoolStatus['members'];
  readonly byProvider: readonly Flow[];
  readonly byAddress: readonly Flow[];
}

/** The addresses of the pool's IPPool that are being warmed up, or were stopped. */
export function warmupRows(pool: PoolResource, ipPools: readonly IPPoolResource[]): WarmupRow[] {
  const ipPool = ipPools.find(({ metadata }) => metadata.name === pool.spec.ipPoolRef.name);
  return (ipPool?.status?.addresses ?? []).flatMap(({ address, warmup = [] }) =>
    warmup
      .filter((one) => one.allowance !== undefined || one.suspended)
      .map(({ provider, day, used, allowance = null, suspended, verdict, because }) => {
        const why = because ? ` after ${because}` : '';
        const state = suspended ? `stopped: ${suspended}` : verdict ? `${verdict}${why}` : 'rises';
        return { address, provider, day, used, allowance, state };
      }),
  );
}

const RECIPIENTS = 'postfleet_delivery_recipients_total';
const RESULTS = ['delivered', 'deferred', 'bounced'] as const;

/** The report of one pool; `seconds` lie between the scrapes. */
export function poolReport(pool: PoolResource, before: Scrape, after: Scrape, seconds: number): PoolReport {
  const name = `${pool.metadata.namespace}/${pool.metadata.name}`;
  const flows = (label: string): Flow[] => {
    const rates = RESULTS.map((result) =>
      ratesBy(RECIPIENTS, label, { pool: name, result }, before, after, seconds),
    );
    const names = [...new Set(rates.flatMap((rate) => [...rate.keys()]))].filter(
      (key) => label !== 'pool' || key === name,
    );
    const at = (i: number, key: string) => rates[i]?.get(key) ?? 0;
    return names
      .sort()
      .map((key) => ({ name: key, delivered: at(0, key), deferred: at(1, key), bounced: at(2, key) }));
  };
  const accepted = ratesBy(
    'postfleet_ingress_messages_total',
    'pool',
    { pool: name, result: 'accepted' },
    before,
    after,
    seconds,
  );
  const status = pool.status ?? {};
  const ready = status.conditions?.find((condition) => condition.type === 'Ready');
  return {
    name,
    ready: `${status.readyReplicas ?? 0}/${status.desiredReplicas ?? pool.spec.replicas}`,
    state: ready
      ? ready.status === 'True'
        ? 'Ready'
        : `${ready.reason}: ${ready.message}`
      : 'not seen by the operator yet',
    backlog: status.backlog ?? 0,
    drain: drainLine(status.drain),
    autoscaling: autoscalingLine(status.autoscaling),
    acceptedPerSecond: accepted.get(name) ?? 0,
    total: flows('pool')[0] ?? { name, delivered: 0, deferred: 0, bounced: 0 },
    members: status.members ?? [],
    byProvider: flows('provider'),
    byAddress: flows('address').filter((flow) => flow.name !== ''),
  };
}

const autoscalingLine = (autoscaling: SendingPoolStatus['autoscaling']): string | null =>
  autoscaling ? `${autoscaling.replicas} pods, ${autoscaling.reason}: ${autoscaling.message}` : null;

function drainLine(drain: SendingPoolStatus['drain']): string | null {
  if (!drain) return null;
  const estimate = drain.estimateSeconds === undefined ? '' : `, about ${drain.estimateSeconds} s`;
  return `${drain.pod}: ${drain.step}, ${drain.left} left${estimate}`;
}
