// Which change has what reconciled. Each kind has a reconcile of its Kubernetes side; pools and IPPools have a second one,
// with a queue of its own, for what needs NATS and the pods.
import type { Deps } from './act/deps.ts';
import { reconcileDomain } from './act/domain.ts';
import { reconcileIPPool } from './act/ippool.ts';
import { reconcileIPPoolDns } from './act/ippool-dns.ts';
import { reconcileIPPoolFleet } from './act/ippool-fleet.ts';
import { labelNamespace } from './act/namespace.ts';
import { reconcilePolicy } from './act/policy.ts';
import { reconcilePool } from './act/pool.ts';
import { reconcilePoolFleet } from './act/pool-fleet.ts';
import { sweepDomains } from './act/sweep.ts';
import { sweepLedgers } from './act/sweep-ledgers.ts';
import { LABELS } from './desired/names.ts';
import { Controller, type Reconcile } from './runtime/controller.ts';
import type { AnyObject, Key } from './runtime/objects.ts';
import type { Reflector } from './runtime/reflector.ts';
import { changesPlacement, isWish, type Watches } from './watches.ts';

type Wakers = Pick<Deps, 'wakeReport' | 'wakeFleet'>;

/** @param makeDeps gets the two wakers, which only exist together with the controllers. */
export function makeControllers(
  watches: Watches,
  namespace: string,
  makeDeps: (wakers: Wakers) => Deps,
): Controller[] {
  const run =
    (reconcile: (deps: Deps, key: Key) => ReturnType<Reconcile>): Reconcile =>
    (key) =>
      reconcile(deps, key);
  const make = (name: string, reconcile: Parameters<typeof run>[0], concurrency = 2) =>
    new Controller({ name, reconcile: run(reconcile), concurrency });
  const pools = make('sendingpool', reconcilePool);
  const poolFleet = make('sendingpool-fleet', reconcilePoolFleet, 4);
  const ipPools = make('ippool', reconcileIPPool);
  const ipPoolFleet = make('ippool-fleet', reconcileIPPoolFleet);
  const ipPoolDns = make('ippool-dns', reconcileIPPoolDns);
  const domains = make('sendingdomain', reconcileDomain, 4);
  const policies = make('queuepolicy', reconcilePolicy, 1);
  const sweep = make('sweep', sweepDomains, 1).always('domains');
  const ledgers = make('warmup-sweep', sweepLedgers, 1).always('ledgers');
  const labels = make('namespace', labelNamespace, 1).always(namespace);
  const deps = makeDeps({
    wakeReport: (kind, key) => (kind === 'IPPool' ? ipPools : pools).enqueue(key),
    wakeFleet: (kind, key) => (kind === 'IPPool' ? ipPoolFleet : poolFleet).enqueue(key),
  });
  const ofLabel = (label: string) => (object: AnyObject) => {
    const name = object.metadata.labels?.[label];
    return name ? [`${namespace}/${name}`] : [];
  };
  pools.owns(watches.sendingPools);
  for (const children of [watches.statefulSets, watches.pods, watches.claims])
    pools.watches(children, ofLabel(LABELS.pool));
  poolFleet.watches(watches.pods, ofLabel(LABELS.pool)).watches(watches.statefulSets, ofLabel(LABELS.pool));
  ipPools.owns(watches.ipPools);
  ipPoolDns.owns(watches.ipPools);
  for (const children of [watches.deployments, watches.egressPods])
    ipPools.watches(children, ofLabel(LABELS.ipPool));
  // A pod that is ready may be given an address.
  ipPoolFleet.watches(watches.egressPods, ofLabel(LABELS.ipPool));
  domains.owns(watches.sendingDomains);
  policies.owns(watches.queuePolicies);
  // References: who names whom is looked up anew, so all that may name it are asked.
  const all = (of: Reflector<AnyObject>, controllers: readonly Controller[]) => () => {
    for (const key of of.cache.keys()) for (const controller of controllers) controller.enqueue(key);
  };
  const allPools = all(watches.sendingPools, [pools, poolFleet]);
  const allIPPools = all(watches.ipPools, [ipPools, ipPoolFleet]);
  const allDomains = all(watches.sendingDomains, [domains]);
  const allPolicies = all(watches.queuePolicies, [policies]);
  const onWish = (watch: Reflector<AnyObject>, ...effects: readonly (() => void)[]) =>
    watch.subscribe((change) => {
      if (isWish(change)) for (const effect of effects) effect();
    });
  onWish(watches.sendingPools, allIPPools, allDomains, allPolicies, () => labels.enqueue(namespace));
  onWish(watches.ipPools, allPools, allIPPools, allDomains);
  onWish(watches.queuePolicies, allPools);
  onWish(watches.sendingDomains, allDomains, allIPPools, () => sweep.enqueue('domains'));
  watches.nodes?.subscribe((change) => {
    if (changesPlacement(change)) allIPPools();
  });
  // An IPPool that is gone has a snapshot to remove.
  watches.ipPools.subscribe(({ key, after }) => after ?? ipPoolFleet.enqueue(key));
  return [pools, poolFleet, ipPools, ipPoolFleet, ipPoolDns, domains, policies, sweep, ledgers, labels];
}
