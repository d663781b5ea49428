// A volume that is full, read-only or failing, and one that loses what was not synced.
import type { Random } from '../../internet/random.ts';
import { cutPower, empty, fill, makeReadOnly } from '../disks.ts';
import { between, type Fault } from '../fault.ts';
import type { RoleProcess } from '../processes.ts';
import type { Scene } from '../scene.ts';

const spoolOf = async (scene: Scene, random: Random): Promise<[RoleProcess, string]> => {
  const one = scene.anyOf('delivery', random);
  return [one, await scene.volumeOf(one.pod)];
};

const full: Fault = {
  name: 'full-spool',
  what: 'the volume of one delivery pod full for 15 to 45 s',
  parts: ['delivery', 'control'],
  mayRepeat: false,
  async inject(scene, random) {
    const [{ pod }, path] = await spoolOf(scene, random);
    await fill(path);
    return { detail: pod, holdSeconds: between(random, 15, 45), undo: () => empty(path) };
  },
};

/** Afterwards the pod is ended, and comes back on a file system that has been mounted anew. */
const failureOf = (name: string, what: string, fail: (path: string) => void | Promise<void>): Fault => ({
  name,
  what,
  parts: ['delivery', 'control', 'pool', 'operator'],
  mayRepeat: true,
  senderDies: true,
  async inject(scene, random) {
    const [{ pod }, path] = await spoolOf(scene, random);
    await fail(path);
    return {
      detail: pod,
      holdSeconds: between(random, 10, 30),
      undo: () => scene.renewVolumes(new Map([[pod, path]])),
    };
  },
});

/** As when the power goes: nothing that is not on the disk survives. */
const powerCutOf = (role: 'nats' | 'delivery' | 'postgres', which: string): Fault => ({
  name: `unsynced-${role}`,
  what: `${which} killed, and everything lost that was not synced`,
  parts: [role, 'control', ...(role === 'delivery' ? (['pool', 'operator'] as const) : [])],
  mayRepeat: role === 'delivery',
  senderDies: role === 'delivery',
  async inject(scene, random) {
    const victims = role === 'delivery' ? [scene.anyOf(role, random)] : scene.processes(role);
    const volumes = new Map<string, string>();
    for (const { pod } of victims) volumes.set(pod, await scene.volumeOf(pod));
    await Promise.all([...volumes.values()].map(cutPower));
    for (const victim of victims) scene.kill(victim);
    const detail = [...volumes.keys()].join(', ');
    return { detail, holdSeconds: 2, undo: () => scene.renewVolumes(volumes) };
  },
});

export const disks: readonly Fault[] = [
  full,
  failureOf(
    'readonly-spool',
    'the volume of one delivery pod read-only for 10 to 30 s, then repaired',
    makeReadOnly,
  ),
  failureOf(
    'failing-spool',
    'the volume of one delivery pod fails for 10 to 30 s and loses what was not synced',
    cutPower,
  ),
  powerCutOf('nats', 'all NATS servers'),
  powerCutOf('delivery', 'one delivery pod'),
  powerCutOf('postgres', 'PostgreSQL'),
];
