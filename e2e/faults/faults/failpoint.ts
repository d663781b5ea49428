// The end of a process at a named place of the code, between two durable steps (docs/crash-points.md).
import { setTimeout as delay } from 'node:timers/promises';
import { FAILPOINTS, type FailpointName } from '../../../process/failpoint.ts';
import type { Random } from '../../internet/random.ts';
import { arm } from '../armed.ts';
import { between, type Fault } from '../fault.ts';
import { ROLES, type Role, type RoleProcess } from '../processes.ts';
import type { Scene, Undo } from '../scene.ts';

/** What has to happen for the place to be come by. Absent: mail flows, which is enough. */
type Circumstance = 'drain' | 'takeover' | 'silent-nats';
const CIRCUMSTANCES: Partial<Record<FailpointName, Circumstance>> = {
  'delivery.unconfirmed': 'silent-nats',
  'delivery.finished': 'silent-nats',
  'delivery.moving': 'drain',
  'delivery.transferred': 'drain',
  'delivery.transfer-removed': 'drain',
  'delivery.memory-before': 'drain',
  'delivery.memory-written': 'drain',
  'delivery.taken-over': 'takeover',
  'operator.before-assignment': 'drain',
  'operator.assignment-written': 'drain',
  'operator.proven-empty': 'drain',
  'operator.scaled': 'drain',
};
const WAIT_MS = 50_000;
/** A drain waits for sessions past the final dot. */
const DRAIN_MS = 100_000;
const SILENT_MS = 5000;

const roleOf = (name: FailpointName): Role => ROLES.find((role) => name.startsWith(`${role}.`)) ?? 'delivery';

const failpointOf = (name: FailpointName): Fault => {
  const role = roleOf(name);
  const circumstance = CIRCUMSTANCES[name];
  const also =
    circumstance === 'silent-nats'
      ? (['nats'] as const)
      : (['pool', 'operator', 'control', 'delivery', 'internet'] as const);
  return {
    name: `failpoint-${name.replace('.', '-')}`,
    what: `a ${role} ends when ${FAILPOINTS[name]}`,
    parts: circumstance ? [...new Set<Fault['parts'][number]>([role, ...also])] : [role],
    mayRepeat: role === 'delivery' || role === 'egress',
    senderDies: role === 'delivery',
    async inject(scene, random) {
      const victim = victimOf(scene, role, circumstance, random);
      const armed = await arm(victim, name, circumstance ? 1 : between(random, 1, 5));
      const undo = await bringAbout(scene, circumstance, armed.disarm);
      const end = performance.now() + (circumstance ? DRAIN_MS : WAIT_MS);
      try {
        while (!armed.reached() && performance.now() < end) await delay(50);
        if (!armed.reached()) throw new Error(`${victim.pod} did not come by`);
      } catch (error) {
        await undo();
        throw error;
      }
      return { detail: victim.pod, holdSeconds: between(random, 2, 6), undo, troubleFrom: Date.now() };
    },
  };
};

/** Of a drain it is the last pod that is handed over, and the others that take. */
function victimOf(
  scene: Scene,
  role: Role,
  circumstance: Circumstance | undefined,
  random: Random,
): RoleProcess {
  if (role !== 'delivery' || !circumstance || circumstance === 'silent-nats')
    return scene.anyOf(role, random);
  const all = scene.processes(role).sort((a, b) => (a.pod < b.pod ? -1 : 1));
  const found = circumstance === 'drain' ? all.at(-1) : random.pick(all.slice(0, -1));
  if (!found || all.length < 3) throw new Error(`${all.length} of 3 delivery pods run just now`);
  return found;
}

async function bringAbout(scene: Scene, circumstance: Circumstance | undefined, disarm: Undo): Promise<Undo> {
  if (!circumstance) return disarm;
  if (circumstance === 'silent-nats') {
    const resume = scene.stop(scene.processes('nats').slice(0, 2));
    await delay(SILENT_MS).finally(resume);
    return disarm;
  }
  await scene.scale('sendingpool/demo', 2);
  return async () => {
    await disarm();
    await scene.scale('sendingpool/demo', 3);
  };
}

export const failpoints: readonly Fault[] = (Object.keys(FAILPOINTS) as FailpointName[]).map(failpointOf);
