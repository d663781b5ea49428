// What others use of the cluster. `openCluster()` is the checkout's own; a name gives a second one beside it.
// With CLUSTER=existing everything goes to the cluster of KUBECONFIG, and nothing is brought up or down.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import type { Image } from '../image/layout.ts';
import { program } from '../tools/cache.ts';
import { addressesOf } from './addresses.ts';
import { importArchive, importImage } from './images/import.ts';
import { bringUp, isHealthy, takeDown } from './local.ts';
import { bringBack, cutOff } from './node.ts';
import type { UpOptions } from './options.ts';
import { nodeNamespace, type Place, placeOf } from './place.ts';
import { readState, type State } from './state.ts';
import { entry } from './system/cgroups.ts';
import { leftovers } from './system/clear.ts';
import { run } from './system/command.ts';

export type { SendingAddress, UpOptions } from './options.ts';
export { CommandError } from './system/command.ts';

export interface Cluster {
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** Whether it was there before us, and is not ours to take down or to break. */
  readonly existing: boolean;
  /** Brings it up, or says within milliseconds that it is. Options that are not given may be as they are. */
  up(options?: UpOptions): Promise<void>;
  down(): Promise<void>;
  /** What is there of it on this machine, in words; empty after `down`. */
  leftovers(): string[];
  isUp(): Promise<boolean>;
  /** kubectl's standard output. @throws CommandError with its standard error */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  helm(args: readonly string[], input?: string): Promise<string>;
  /** Gives every node the image, unless it has it. */
  importImage(image: Image): Promise<void>;
  /** Gives every node an archive as `docker save` writes it. */
  importArchive(file: string): Promise<void>;
  /** Starts a program in the internet's namespace; it ends with the cluster at the latest. */
  runInInternet(command: readonly [string, ...string[]], options?: SpawnOptions): ChildProcess;
  /** Starts a program in a node's network. */
  runInNode(node: number, command: readonly [string, ...string[]], options?: SpawnOptions): ChildProcess;
  /** Addresses that the host reaches: API server, the internet's namespace, nodes. */
  addresses(): ReturnType<typeof addressesOf>;
  /** Cuts a node off: no kubelet, no network. */
  stopNode(node: number): Promise<void>;
  startNode(node: number): Promise<void>;
}

export const isExisting = (): boolean => process.env.CLUSTER === 'existing';

/** @throws Error when CLUSTER=existing and KUBECONFIG is not set */
export function openCluster(name = ''): Cluster {
  return isExisting() ? existingCluster() : localCluster(placeOf(name));
}

function tools(kubeconfig: string): Pick<Cluster, 'kubectl' | 'helm'> {
  const tool = (name: string) => (args: readonly string[], input?: string) =>
    run(program(name), args, {
      env: { ...process.env, KUBECONFIG: kubeconfig },
      ...(input === undefined ? {} : { input }),
    });
  return { kubectl: tool('kubectl'), helm: tool('helm') };
}

function localCluster(place: Place): Cluster {
  const state = (): State => {
    const found = readState(place);
    if (!found?.ready) throw new Error('the local cluster is not up: make cluster-up');
    return found;
  };
  const nodes = () => Array.from({ length: state().shape.nodes }, (_, i) => i + 1);
  const enter = (namespace: string, command: readonly [string, ...string[]], options: SpawnOptions = {}) => {
    // In the cluster's cgroup, so that `down` finds it when its parent was killed.
    const script = 'echo $$ > "$1" && shift && exec "$@"';
    const cgroup = entry(`${place.cgroup}/control`);
    return spawn(
      '/bin/sh',
      ['-c', script, 'sh', cgroup, 'nsenter', `--net=/run/netns/${namespace}`, ...command],
      options,
    );
  };
  return {
    ...tools(place.kubeconfig),
    kubeconfig: place.kubeconfig,
    existing: false,
    up: async (options = {}) => void (await bringUp(place, options)),
    down: () => takeDown(place),
    leftovers: () => leftovers(place),
    isUp: async () => readState(place)?.ready === true && (await isHealthy(place)),
    importImage: async (image) => {
      for (const node of nodes()) await importImage(place, node, image);
    },
    importArchive: async (file) => {
      for (const node of nodes()) await importArchive(place, node, file);
    },
    runInInternet: (command, options) => enter(place.internet, command, options),
    runInNode: (node, command, options) => enter(nodeNamespace(place, node), command, options),
    addresses: () => addressesOf(state().index),
    stopNode: (node) => cutOff(place, node),
    startNode: (node) => bringBack(place, state().index, node),
  };
}

function existingCluster(): Cluster {
  const kubeconfig = process.env.KUBECONFIG;
  if (!kubeconfig) throw new Error('CLUSTER=existing needs KUBECONFIG');
  const { kubectl, helm } = tools(kubeconfig);
  const refuse = (what: string): never => {
    throw new Error(`${what} is only possible with the local cluster (CLUSTER=existing is set)`);
  };
  const answers = () => kubectl(['get', '--raw=/readyz', '--request-timeout=10s']);
  return {
    kubectl,
    helm,
    kubeconfig,
    existing: true,
    up: async () => {
      await answers();
    },
    down: async () => {},
    leftovers: () => [],
    isUp: () =>
      answers().then(
        () => true,
        () => false,
      ),
    importImage: async () => refuse('giving an image to the nodes'),
    importArchive: async () => refuse('giving an image to the nodes'),
    runInInternet: () => refuse('the miniature internet'),
    runInNode: () => refuse("running in a node's network"),
    addresses: () => refuse("asking for the machine's addresses"),
    stopNode: async () => refuse('stopping a node'),
    startNode: async () => refuse('starting a node'),
  };
}
