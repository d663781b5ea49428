// NATS restarts server by server while two pods hand their spools over. Nearly every attempt is put off meanwhile, so that what they hold has to
// go by NATS.
import { until } from '../../rig/process.ts';
import { between, type Fault } from '../fault.ts';
import { LIMIT } from '../limits.ts';
import type { Scene, Undo } from '../scene.ts';

const LEAVE = ['demo-delivery-1', 'demo-delivery-2'];
/** Recipients in the spool of each pod that is to leave. */
const ENOUGH = 40;
const FILL_MS = 90_000;
const CORDON_MS = 30_000;
const DRAIN_MS = 300_000;

interface PoolStatus {
  readonly members?: readonly { readonly pod: string; readonly queued: number }[];
  readonly drain?: { readonly step: string };
}
const poolStatus = async (scene: Scene): Promise<PoolStatus> =>
  JSON.parse(await scene.kubectl('get', 'sendingpool', 'demo', '-o', 'json')).status ?? {};

/**
 * The mail servers put everything off; undone by their own behaviours. Not those of the provider with a limit: to be rid of what waits for it
 * would take minutes afterwards.
 */
async function deferAll({ stage: { internet, world } }: Scene): Promise<Undo> {
  const defer = { share: 1, forSeconds: 3600, reply: '451 4.3.2 not now' };
  const hosts = world.hosts.filter(({ hostname }) => !hostname.endsWith(`.${LIMIT.provider}`));
  for (const { hostname, behaviour } of hosts) await internet.setBehaviour(hostname, { ...behaviour, defer });
  return async () => {
    for (const { hostname, behaviour } of hosts) await internet.setBehaviour(hostname, behaviour);
  };
}

/** Gives what each of them has then. @throws Error when they do not fill */
function spooled(scene: Scene): Promise<readonly number[]> {
  const enough = async () => {
    const { members = [] } = await poolStatus(scene);
    const counts = LEAVE.map((name) => members.find(({ pod }) => pod === name)?.queued ?? 0);
    return counts.every((count) => count >= ENOUGH) ? counts : null;
  };
  return until(`${ENOUGH} recipients in each spool`, enough, FILL_MS);
}

async function rollWhileDraining(scene: Scene): Promise<void> {
  await scene.scale('sendingpool/demo', 1);
  await until('the drain to begin', async () => (await poolStatus(scene)).drain !== undefined, CORDON_MS);
  await scene.kubectl('rollout', 'restart', 'statefulset/postfleet-nats');
  const replicas = () =>
    scene.kubectl('get', 'statefulset', 'demo-delivery', '-o', 'jsonpath={.spec.replicas}');
  await until('both to have left', async () => (await replicas()) === '1', DRAIN_MS);
}

export const natsRollsInDrain: Fault = {
  name: 'roll-nats-in-drain',
  what: 'the mail servers defer until spools fill; the pool scaled to 1, NATS restarted one by one in the drain; back to 3',
  parts: ['nats', 'control', 'pool', 'internet'],
  mayRepeat: false,
  senderDies: true,
  async inject(scene, random) {
    const deliverAgain = await deferAll(scene);
    const undo = async () => {
      await deliverAgain();
      await scene.scale('sendingpool/demo', 3);
      await scene.kubectl('rollout', 'status', 'statefulset/postfleet-nats', '--timeout=150s');
    };
    try {
      const counts = await spooled(scene);
      const began = performance.now();
      await rollWhileDraining(scene);
      const seconds = Math.round((performance.now() - began) / 1000);
      const detail = `${counts.join(' and ')} recipients handed over in ${seconds} s`;
      return { detail, holdSeconds: between(random, 1, 10), undo };
    } catch (error) {
      await undo();
      throw error;
    }
  },
};
