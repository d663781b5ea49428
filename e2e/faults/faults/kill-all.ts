// All of a role at once, and everything at once, as when the power goes (what the page cache holds is kept).
import { between, type Fault, nothingToUndo } from '../fault.ts';
import { ROLES, type Role } from '../processes.ts';

const killAllOf = (name: string, what: string, roles: readonly Role[]): Fault => ({
  name,
  what,
  parts: roles.length > 1 ? [...roles, 'control', 'pool'] : roles,
  mayRepeat: roles.includes('delivery'),
  senderDies: roles.includes('delivery'),
  async inject(scene, random) {
    const victims = scene.processes(...roles);
    for (const victim of victims) scene.kill(victim);
    return {
      detail: `${victims.length} processes`,
      holdSeconds: between(random, 10, 20),
      undo: nothingToUndo,
    };
  },
});

export const killsOfAll: readonly Fault[] = [
  killAllOf('kill-all-nats', 'kill -9 of all NATS servers at once', ['nats']),
  killAllOf('kill-all-delivery', 'kill -9 of all delivery containers at once', ['delivery']),
  killAllOf('kill-everything', 'kill -9 of every container of every role at once', ROLES),
];
