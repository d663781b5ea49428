import type { Placement } from '../decide/place.ts';
import { egressName, LABELS } from '../desired/names.ts';
import { installation, sampleIPPool } from '../desired/samples.ts';
import type { Manifest } from '../desired/settings.ts';
import type { AnyObject } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';
import { keepEgress } from './egress.ts';

const node = (name: string, ready = true) => ({
  metadata: { name },
  status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
});
const storeOf = (objects: readonly object[]) => ({
  list: () => objects as unknown as AnyObject[],
  get: (key: string) =>
    (objects as unknown as AnyObject[]).find(
      ({ metadata }) => `${metadata.namespace}/${metadata.name}` === key,
    ),
});

/** A cluster in which what is applied is there at once, and rolled out when the test says so. */
class Cluster {
  nodes: object[] = [node('a'), node('b')];
  deployments = new Map<string, AnyObject>();
  readonly done: string[] = [];
  placement: Placement | null = { addresses: [], podNodes: ['a', 'b'] };

  deps(): Deps {
    const findings = this.placement && {
      nats: { kind: 'Written' },
      problem: null,
      leases: [],
      placement: this.placement,
    };
    return {
      installation: { ...installation, image: this.image },
      caches: {
        nodes: storeOf(this.nodes),
        egressPods: storeOf([]),
        deployments: storeOf([...this.deployments.values()]),
      },
      findings: { ipPools: new Map(findings ? [['mail/main', findings]] : []) },
      applier: { apply: async (_type: unknown, manifest: Manifest) => this.#apply(manifest) },
      api: { delete: async (_type: unknown, { name }: { name: string }) => this.#remove(name) },
      now: () => 0,
    } as unknown as Deps;
  }

  image = 'one';

  #apply(manifest: Manifest): void {
    const { name, annotations } = manifest.metadata;
    const before = this.deployments.get(name);
    if (before?.metadata.annotations?.['postfleet.io/template'] === annotations?.['postfleet.io/template'])
      return;
    this.done.push(`${before ? 'change' : 'make'} ${this.#nodeOf(name)}`);
    this.deployments.set(name, { ...manifest, status: {} } as unknown as AnyObject);
  }

  #remove(name: string): void {
    this.done.push(`remove ${this.#nodeOf(name)}`);
    this.deployments.delete(name);
  }

  #nodeOf = (name: string) => ['a', 'b', 'c'].find((one) => egressName('main', one) === name) ?? name;

  rolledOut(): void {
    const status = { replicas: 1, updatedReplicas: 1, readyReplicas: 1 };
    for (const [name, one] of this.deployments) this.deployments.set(name, { ...one, status });
  }

  async keep(): Promise<string[]> {
    this.done.length = 0;
    await keepEgress(this.deps(), sampleIPPool());
    return [...this.done];
  }
}

test('one Deployment for each node that needs one; what no address needs any more goes', async () => {
  const cluster = new Cluster();
  expect(await cluster.keep()).toEqual(['make a', 'make b']);
  cluster.placement = { addresses: [], podNodes: ['b'] };
  expect(await cluster.keep()).toEqual(['remove a']);
});

test('of an older release: its one Deployment goes when there are those of the nodes', async () => {
  const cluster = new Cluster();
  const metadata = {
    name: 'main-egress',
    namespace: 'mail-egress',
    labels: { [LABELS.ipPoolUid]: 'uid-main' },
  };
  cluster.deployments.set('main-egress', { metadata });
  expect(await cluster.keep()).toEqual(['make a', 'make b', 'remove main-egress']);
});

test('a changed template goes to one node after the other', async () => {
  const cluster = new Cluster();
  await cluster.keep();
  cluster.rolledOut();
  cluster.image = 'two';
  expect(await cluster.keep()).toEqual(['change a']);
  expect(await cluster.keep()).toEqual([]);
  cluster.rolledOut();
  expect(await cluster.keep()).toEqual(['change b']);
});

test('a lost node holds no rollout up, and a new node gets its pod while one runs', async () => {
  const cluster = new Cluster();
  await cluster.keep();
  cluster.nodes = [node('a', false), node('b'), node('c')];
  cluster.rolledOut();
  cluster.image = 'two';
  expect(await cluster.keep()).toEqual(['change a']);
  cluster.placement = { addresses: [], podNodes: ['a', 'b', 'c'] };
  expect(await cluster.keep()).toEqual(['change b', 'make c']);
});

test('before it is known who holds what, those that are there stay, and none is removed', async () => {
  const cluster = new Cluster();
  await cluster.keep();
  cluster.placement = null;
  cluster.nodes = [node('a'), node('b'), node('c')];
  expect(await cluster.keep()).toEqual([]);
  cluster.deployments.clear();
  expect(await cluster.keep()).toEqual(['make a', 'make b', 'make c']);
});
