// The wall clock jumps, and later jumps back; monotonic time goes on.
import { setClock } from '../clocks.ts';
import { between, type Fault } from '../fault.ts';
import { ROLES, type Role } from '../processes.ts';

const MINUTE = 60;
const CLOCKS = ROLES.filter((role) => role !== 'nats');

const jumpOf = (name: string, whose: string, roles: readonly Role[]): Fault => ({
  name,
  what: `the clock of ${whose} minutes to three hours ahead or behind for 10 to 40 s`,
  parts: roles,
  mayRepeat: false,
  async inject(scene, random) {
    const victims =
      roles.length > 1 ? scene.processes(...roles) : [scene.anyOf(roles[0] ?? 'delivery', random)];
    const minutes = between(random, 4, 180) * (random.below(2) === 0 ? 1 : -1);
    for (const victim of victims) setClock(victim, minutes * MINUTE);
    return {
      detail: `${victims.length === 1 ? victims[0]?.pod : `${victims.length} processes`}, ${minutes} minutes`,
      holdSeconds: between(random, 10, 40),
      undo: async () => scene.rightClocks(),
    };
  },
});

export const clocks: readonly Fault[] = [
  ...CLOCKS.map((role) => jumpOf(`clock-${role}`, `one ${role}`, [role])),
  jumpOf('clock-everything', 'everything but NATS', CLOCKS),
];
