// Brings a local cluster up and down.
import { pauseImage } from '../image/pause.ts';
import { ensurePrograms } from '../tools/build.ts';
import { program } from '../tools/cache.ts';
import { withLock } from '../tools/lock.ts';
import { missingPackages } from '../tools/packages.ts';
import { PACKAGES, PROGRAMS } from '../tools/versions.ts';
import { MAX_NODES } from './addresses.ts';
import { startApi, startControllers, writeIdentities } from './control.ts';
import { importImage } from './images/import.ts';
import { nodeName, startAgents, startRuntime, writeNode } from './node.ts';
import { satisfies, shapeOf, type UpOptions } from './options.ts';
import type { Place } from './place.ts';
import { readState, reserve, type State, writeState } from './state.ts';
import { storageClass } from './storage/class.ts';
import { makeCgroup } from './system/cgroups.ts';
import { clear } from './system/clear.ts';
import { run } from './system/command.ts';
import { makeNetwork } from './system/network.ts';
import { assertAlive, dead } from './system/programs.ts';
import { until } from './system/until.ts';

const nodesOf = (state: State): number[] => Array.from({ length: state.shape.nodes }, (_, i) => i + 1);

/** Brings the cluster up; a running one that is what is asked for stays, anything else is cleared away first. */
export async function bringUp(place: Place, options: UpOptions): Promise<State> {
  requireRoot();
  await ensurePrograms(PROGRAMS);
  return withLock(place.lock, async () => {
    const running = readState(place);
    if (running?.ready && satisfies(running.shape, options) && (await isHealthy(place))) return running;
    const shape = shapeOf({ ...running?.shape, ...options }, MAX_NODES);
    await clear(place);
    const state = await reserve(place, shape);
    await start(place, state);
    const ready = { ...state, ready: true };
    writeState(place, ready);
    return ready;
  });
}

/** Takes the cluster down, whatever there is of it. */
export function takeDown(place: Place): Promise<void> {
  requireRoot();
  return withLock(place.lock, () => clear(place));
}

function requireRoot(): void {
  if (process.getuid?.() !== 0) {
    throw new Error('a local cluster needs root; with CLUSTER=existing the cluster of KUBECONFIG is used');
  }
  const missing = missingPackages(PACKAGES);
  if (missing.length > 0) throw new Error(`run make tools first; missing: ${missing.join(' ')}`);
}

/** Whether all programs run and the API server says it is ready. */
export async function isHealthy(place: Place): Promise<boolean> {
  if (dead(place.folder).length > 0) return false;
  const ready = ask(place, ['get', '--raw=/readyz', '--request-timeout=5s']);
  return ready.then(() => true).catch(() => false);
}

const ask = (place: Place, args: readonly string[], input?: string): Promise<string> =>
  run(program('kubectl'), ['--kubeconfig', place.kubeconfig, ...args], input === undefined ? {} : { input });

async function start(place: Place, state: State): Promise<void> {
  const nodes = nodesOf(state);
  const alive = () => assertAlive(place.folder);
  makeCgroup(`${place.cgroup}/control`);
  const authority = await writeIdentities(place, state.index);
  await makeNetwork(place, state.index, state.shape);
  startApi(place, state.index);
  const pause = await pauseImage();
  const runtimes = nodes.map(async (node) => {
    await writeNode(place, state.index, state.shape, node, authority);
    await startRuntime(place, node);
    await importImage(place, node, pause);
  });
  const api = until('the API server', () => ask(place, ['get', '--raw=/readyz']), { alive });
  await Promise.all([api, ...runtimes]);
  startControllers(place, state.index, state.shape.volumes);
  for (const node of nodes) startAgents(place, state.index, node);
  await until('the storage class', () => ask(place, ['apply', '-f', '-'], JSON.stringify(storageClass)), {
    alive,
  });
  await until('all nodes', () => nodesReady(place, nodes), { alive });
  // Without it no pod can be made in the namespace.
  await until('the default account', () => ask(place, ['get', 'serviceaccount', 'default', '-o', 'name']), {
    alive,
  });
}

async function nodesReady(place: Place, nodes: readonly number[]): Promise<boolean> {
  const path = '{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}';
  const ready = await ask(place, ['get', 'nodes', '-o', `jsonpath=${path}`]);
  return nodes.every((node) => ready.includes(`${nodeName(node)}=True `));
}
