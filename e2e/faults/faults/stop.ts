// SIGSTOP for a while, then SIGCONT: the process comes back believing that no time has passed.
import { between, type Fault } from '../fault.ts';
import type { Role } from '../processes.ts';

/** Longest stops: beyond a lease (egress, delivery), and within what the liveness probe forgives. */
const SECONDS: readonly (readonly [Role, number, number])[] = [
  ['ingress', 5, 20],
  ['delivery', 5, 45],
  ['egress', 5, 40],
  ['nats', 5, 20],
  ['operator', 10, 40],
  ['postgres', 5, 20],
];

const stopOf = ([role, least, most]: (typeof SECONDS)[number]): Fault => ({
  name: `stop-${role}`,
  what: `SIGSTOP of one ${role} for ${least} to ${most} s, then SIGCONT`,
  parts: [role],
  mayRepeat: role === 'delivery' || role === 'egress',
  senderDies: role === 'delivery',
  async inject(scene, random) {
    const victim = scene.anyOf(role, random);
    const undo = scene.stop([victim]);
    return { detail: victim.pod, holdSeconds: between(random, least, most), undo };
  },
});

export const stops: readonly Fault[] = SECONDS.map(stopOf);
