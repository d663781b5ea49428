// For the integration test: plays the StatefulSet controller and the kubelets of an API server that has none, and delivery
// pods that obey assignments. The test says what their spools hold.
import type { Assignment, PodResults, Statement } from '../mta/bus/snapshot.ts';
import { obedientStatement } from './decide/scripted-world.ts';
import { identityOf } from './desired/templates.ts';
import { orAbsent } from './observe/pool-world.ts';
import type { AskStatement } from './observe/statement.ts';
import { ordinalOf } from './observe/world.ts';
import { type AnyObject, TYPES } from './runtime/objects.ts';
import type { KubeApi } from './runtime/transport.ts';

interface Template {
  readonly metadata: {
    readonly labels: Record<string, string>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: object;
}
interface SetSpec {
  readonly replicas: number;
  readonly template: Template;
  readonly updateStrategy: { readonly rollingUpdate: { readonly partition: number } };
}
interface Revision {
  readonly name: string;
  readonly template: Template;
}

const REVISION = 'controller-revision-hash';
const revisionOf = (pod: AnyObject): string | undefined => pod.metadata.labels?.[REVISION];

export class StandIn {
  /** Recipients in the spool of each pod. */
  readonly spooled = new Map<string, number>();
  /** Mail that each pod could send now. */
  readonly ready = new Map<string, number>();
  /** The process that each pod runs, when a test says so. */
  readonly processes = new Map<string, string>();
  /** Where a pod listens. */
  address: (pod: string) => string = () => '127.0.0.1';
  /** Identities of spools, when a test says so. */
  readonly spoolIds = new Map<string, string>();
  /** Pods that do not answer. */
  readonly silent = new Set<string>();
  /** What pods have counted, when a test says so. */
  readonly results = new Map<string, PodResults>();
  /** Templates with this annotation make pods that do not get ready. */
  readonly broken = 'test/broken';
  /** Of each StatefulSet: the revision that all pods had last. */
  readonly #current = new Map<string, Revision>();
  readonly #api: KubeApi;
  readonly #namespace: string;
  readonly #assignment: () => Promise<Assignment | null>;

  constructor(api: KubeApi, namespace: string, assignment: () => Promise<Assignment | null>) {
    this.#api = api;
    this.#namespace = namespace;
    this.#assignment = assignment;
  }

  /** One round of what the controllers of a cluster would do. */
  async play(): Promise<void> {
    const { items } = await this.#api.list(TYPES.statefulSets, { namespace: this.#namespace });
    for (const set of items) await this.#follow(set, set.spec as SetSpec);
    if (items.length === 0) for (const pod of await this.#pods()) await this.#end(pod);
  }

  readonly ask: AskStatement = async (pod) => {
    if (this.silent.has(pod.name)) return { kind: 'unknown', reason: 'Unreachable', message: 'silent' };
    const assignment = await this.#assignment();
    if (assignment?.members.some((m) => m.uid === pod.uid && m.handOver)) this.spooled.set(pod.name, 0);
    const entries = this.spooled.get(pod.name) ?? 0;
    const statement: Statement = obedientStatement(pod, assignment, {
      process: this.processes.get(pod.name),
      results: this.results.get(pod.name),
      work: { ready: this.ready.get(pod.name) ?? 0, limited: 0, waiting: 0, perSecond: 0 },
      spool: { id: this.spoolIds.get(pod.name), entries, bytes: entries * 1000 },
    });
    return { kind: 'statement', statement };
  };

  async #pods(): Promise<readonly AnyObject[]> {
    return (await this.#api.list(TYPES.pods, { namespace: this.#namespace })).items;
  }

  async #follow(set: AnyObject, spec: SetSpec): Promise<void> {
    const update = { name: identityOf(spec.template), template: spec.template };
    const uid = set.metadata.uid ?? '';
    const current = this.#current.get(uid) ?? update;
    const { partition } = spec.updateStrategy.rollingUpdate;
    const pods = await this.#pods();
    for (const pod of pods) if (ordinalOf(pod.metadata.name) >= spec.replicas) await this.#end(pod);
    const due = pods
      .filter((pod) => ordinalOf(pod.metadata.name) >= partition && revisionOf(pod) !== update.name)
      .toSorted((a, b) => ordinalOf(b.metadata.name) - ordinalOf(a.metadata.name))[0];
    if (due) await this.#end(due);
    const there = (await this.#pods()).map(({ metadata }) => metadata.name);
    for (let i = 0; i < spec.replicas; i++) {
      const name = `${set.metadata.name}-${i}`;
      if (!there.includes(name)) await this.#begin(set, i >= partition ? update : current, name);
    }
    const isDone = (await this.#pods()).every((pod) => revisionOf(pod) === update.name);
    this.#current.set(uid, isDone ? update : current);
    const status = {
      observedGeneration: set.metadata.generation,
      replicas: spec.replicas,
      readyReplicas: spec.replicas,
      currentRevision: isDone ? update.name : current.name,
      updateRevision: update.name,
    };
    await this.#api.patchStatus(TYPES.statefulSets, set.metadata, { kind: 'merge', body: { status } });
  }

  async #begin(set: AnyObject, { name: revision, template }: Revision, name: string): Promise<void> {
    const { labels } = template.metadata;
    const claim = { namespace: this.#namespace, name: `spool-${name}` };
    if (!(await orAbsent(this.#api.get(TYPES.persistentVolumeClaims, claim))))
      await this.#api.create(TYPES.persistentVolumeClaims, {
        metadata: { ...claim, labels },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      } as AnyObject);
    const metadata = {
      name,
      namespace: this.#namespace,
      labels: { ...labels, [REVISION]: revision },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'StatefulSet', name: set.metadata.name, uid: set.metadata.uid ?? '' },
      ],
    };
    const spool = { name: 'spool', persistentVolumeClaim: { claimName: claim.name } };
    const volumes = [...((template.spec as { volumes?: object[] }).volumes ?? []), spool];
    const pod = { metadata, spec: { ...template.spec, nodeName: 'node-a', volumes } } as unknown as AnyObject;
    await this.#api.create(TYPES.pods, pod);
    const status = {
      phase: 'Running',
      podIP: this.address(name),
      podIPs: [{ ip: this.address(name) }],
      conditions: [
        { type: 'Ready', status: this.broken in (template.metadata.annotations ?? {}) ? 'False' : 'True' },
      ],
      containerStatuses: [
        { name: 'delivery', ready: true, restartCount: 0, image: 'x', imageID: 'x', state: { running: {} } },
      ],
    };
    await this.#api.patchStatus(TYPES.pods, metadata, { kind: 'merge', body: { status } });
  }

  async #end({ metadata }: AnyObject): Promise<void> {
    await this.#api.delete(TYPES.pods, metadata, { gracePeriodSeconds: 0 });
  }
}
