// kill -9 of any one process of a role; the kubelet starts it again.
import { between, type Fault, nothingToUndo } from '../fault.ts';
import { ROLES, type Role } from '../processes.ts';

const killOf = (role: Role): Fault => ({
  name: `kill-${role}`,
  what: `kill -9 of one ${role} container`,
  parts: [role],
  mayRepeat: role === 'delivery' || role === 'egress',
  senderDies: role === 'delivery',
  async inject(scene, random) {
    const victim = scene.anyOf(role, random);
    scene.kill(victim);
    return { detail: victim.pod, holdSeconds: between(random, 3, 8), undo: nothingToUndo };
  },
});

export const kills: readonly Fault[] = ROLES.map(killOf);
