// What a fault can do to a stage: signals, packets, kubectl. Every deed gives its undoing.
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Place, placeOf } from '../cluster/place.ts';
import { members } from '../cluster/system/cgroups.ts';
import { run } from '../cluster/system/command.ts';
import { identify, isAlive, signal } from '../cluster/system/identity.ts';
import { programs } from '../cluster/system/programs.ts';
import type { Random } from '../internet/random.ts';
import { NAMESPACE } from '../stage/install.ts';
import type { Stage } from '../stage/stage.ts';
import { setClock } from './clocks.ts';
import { brokenBelow, emptyAll, mountAgain } from './disks.ts';
import { type Role, type RoleProcess, resumeAll, roleProcesses } from './processes.ts';

export type Undo = () => Promise<void>;

/** Marks our rules, so that those of a run that was cut off are found. */
const MARK = 'postfleet-faults';
const KUBECTL_SECONDS = 40;
const LAST_WORDS_MS = 4000;

export class Scene {
  readonly stage: Stage;
  readonly place: Place;

  constructor(stage: Stage, name: string) {
    this.stage = stage;
    this.place = placeOf(name);
  }

  /** In the release's namespace. Bounded: the API server may be stopped. */
  kubectl(...args: string[]): Promise<string> {
    return this.stage.cluster.kubectl(['-n', NAMESPACE, `--request-timeout=${KUBECTL_SECONDS}s`, ...args]);
  }

  /** What a pod answers at a path, through the API server. Without a timeout of kubectl's: that would become part of the query. */
  ask(pod: string, path: string): Promise<string> {
    const raw = `/api/v1/namespaces/${NAMESPACE}/pods/${pod}/proxy${path}`;
    const late = delay(KUBECTL_SECONDS * 1000, undefined, { ref: false }).then(() => {
      throw new Error(`no answer of ${pod} within ${KUBECTL_SECONDS} s`);
    });
    return Promise.race([this.stage.cluster.kubectl(['get', '--raw', raw]), late]);
  }

  processes(...roles: readonly Role[]): RoleProcess[] {
    return roleProcesses(this.place).filter(({ role }) => roles.includes(role));
  }

  /** One of the role's processes. @throws Error when none runs at the moment */
  anyOf(role: Role, random: Random): RoleProcess {
    const found = this.processes(role).sort((a, b) => (a.pod < b.pod ? -1 : 1));
    if (found.length === 0) throw new Error(`no ${role} is running just now`);
    return random.pick(found);
  }

  kill({ identity }: RoleProcess): void {
    signal(identity, 'SIGKILL');
  }

  /** SIGSTOP; undone by SIGCONT. */
  stop(processes: readonly RoleProcess[]): Undo {
    for (const { identity } of processes) signal(identity, 'SIGSTOP');
    return async () => {
      for (const { identity } of processes) signal(identity, 'SIGCONT');
    };
  }

  /** Drops every packet between a pod with a network of its own and an address. */
  async cut(inside: RoleProcess, address: string): Promise<Undo> {
    const chains = [
      ['INPUT', '-s', address],
      ['OUTPUT', '-d', address],
    ];
    const change = async (how: '-I' | '-D') => {
      for (const [chain = '', ...which] of chains)
        await this.#iptables(inside, [how, chain, ...which, ...RULE]);
    };
    await change('-I');
    // With its pod gone the network is gone too, and the rules with it.
    return () => change('-D').catch(() => {});
  }

  #iptables({ identity }: RoleProcess, args: readonly string[]): Promise<string> {
    return run('nsenter', ['-t', String(identity.pid), '-n', 'iptables', '-w', ...args]);
  }

  async podAddress(pod: string): Promise<string> {
    const all = await this.kubectl('get', 'pods', '-A', '-o', 'json');
    const { items } = JSON.parse(all) as {
      items: { metadata: { name: string }; status: { podIP?: string } }[];
    };
    const address = items.find(({ metadata }) => metadata.name === pod)?.status.podIP;
    if (!address) throw new Error(`${pod} has no address`);
    return address;
  }

  /** What the pool says of itself. */
  async poolAccount(): Promise<{ readonly backlog: number; readonly stranded: boolean }> {
    const { status } = JSON.parse(await this.kubectl('get', 'sendingpool', 'demo', '-o', 'json')) as {
      status?: { backlog?: number; conditions?: readonly { readonly reason: string }[] };
    };
    const stranded = status?.conditions?.some(({ reason }) => reason === 'Stranded') ?? false;
    return { backlog: status?.backlog ?? 0, stranded };
  }

  processesOn(node: number): RoleProcess[] {
    return roleProcesses(this.place, `node${node}`);
  }

  /** Every process of the node's pods, at once: containers and what holds their namespaces. */
  killNode(node: number): void {
    for (const pid of members(`${this.place.cgroup}/node${node}`)) {
      const identity = identify(pid);
      if (identity) signal(identity, 'SIGKILL');
    }
  }

  /** Undoes the loss; resolves when the node is ready again. */
  async returnNode(node: number): Promise<void> {
    await this.stage.cluster.startNode(node);
    await this.kubectl('wait', '--for=condition=Ready', `node/node${node}`, '--timeout=120s');
  }

  /** Folder of a pod's volume on this machine. */
  async volumeOf(pod: string): Promise<string> {
    const { spec } = JSON.parse(await this.kubectl('get', 'pod', pod, '-o', 'json')) as {
      spec: { volumes: { persistentVolumeClaim?: { claimName: string } }[] };
    };
    const claim = spec.volumes.find((one) => one.persistentVolumeClaim)?.persistentVolumeClaim?.claimName;
    if (!claim) throw new Error(`${pod} has no volume`);
    const volume = await this.kubectl('get', 'pvc', claim, '-o', 'jsonpath={.spec.volumeName}');
    return this.kubectl('get', 'pv', volume, '-o', 'jsonpath={.spec.local.path}');
  }

  rightClocks(): void {
    for (const one of roleProcesses(this.place)) setClock(one, 0);
  }

  /**
   * Ends pods of a StatefulSet and mounts their volumes anew before they come back: no new one is placed meanwhile.
   * @param volumes folders by pod
   */
  async renewVolumes(volumes: ReadonlyMap<string, string>): Promise<void> {
    const nodes = await this.#nodes();
    for (const node of nodes) await this.kubectl('cordon', node);
    try {
      await this.kubectl('delete', 'pod', ...volumes.keys(), '--ignore-not-found', '--wait=false');
      // A delivery pod must not be deleted with less patience than it asks for; but nobody can keep a process from being killed.
      await delay(LAST_WORDS_MS);
      for (const one of this.processes('delivery', 'nats', 'postgres'))
        if (volumes.has(one.pod)) this.kill(one);
      for (const path of volumes.values()) await mountAgain(path);
    } finally {
      for (const node of nodes) await this.kubectl('uncordon', node);
    }
  }

  scale(what: string, replicas: number): Promise<string> {
    return this.kubectl('scale', what, `--replicas=${replicas}`);
  }

  /** Everything as it should be, whatever a run that was cut off left behind. */
  async heal(): Promise<void> {
    resumeAll(this.place);
    this.rightClocks();
    for (const [i, node] of (await this.#nodes()).entries()) {
      await this.kubectl('uncordon', node);
      if (this.#isLost(i + 1)) await this.returnNode(i + 1);
    }
    await emptyAll(this.place.folder);
    const broken = brokenBelow(this.place.folder);
    if (broken.length > 0) await this.renewVolumes(await this.#podsOf(broken));
    const { internet, world } = this.stage;
    for (const { hostname, behaviour } of world.hosts) await internet.setBehaviour(hostname, behaviour);
    for (const one of this.processes('ingress', 'delivery', 'gateway', 'operator', 'nats', 'postgres'))
      await this.#dropRules(one);
    await this.scale('statefulset/postfleet-nats', 3);
    await this.scale('statefulset/postfleet-postgres', 1);
    await this.scale('sendingpool/demo', 3);
  }

  /** By the pods' names: a claim of a StatefulSet is named after its pod. */
  async #podsOf(paths: readonly string[]): Promise<Map<string, string>> {
    const pods = new Map<string, string>();
    for (const path of paths) {
      const claim = await this.kubectl('get', 'pv', basename(path), '-o', 'jsonpath={.spec.claimRef.name}');
      pods.set(claim.replace(/^[a-z]+-/, ''), path);
    }
    return pods;
  }

  /** `node1`, `node2` and so on. */
  async #nodes(): Promise<string[]> {
    const names = await this.kubectl('get', 'nodes', '-o', 'jsonpath={.items[*].metadata.name}');
    return names.split(' ').sort();
  }

  #isLost(node: number): boolean {
    const kubelet = programs(this.place.folder).find(({ name }) => name === `kubelet-node${node}`);
    return !kubelet || !isAlive(kubelet.identity);
  }

  async #dropRules(one: RoleProcess): Promise<void> {
    const rules = await this.#iptables(one, ['-S']).catch(() => '');
    for (const rule of rules.split('\n').filter((line) => line.startsWith('-A') && line.includes(MARK)))
      await this.#iptables(one, ['-D', ...rule.slice(3).replaceAll('"', '').split(' ')]);
  }
}

const RULE = ['-m', 'comment', '--comment', MARK, '-j', 'DROP'];
