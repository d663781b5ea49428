// Two pods cannot reach one another; everybody else can. The first has a network of its own, where the rules are set.
import { between, type Fault } from '../fault.ts';
import type { Role } from '../processes.ts';

const PAIRS: readonly (readonly [Role, Role])[] = [
  ['delivery', 'egress'],
  ['delivery', 'nats'],
  ['delivery', 'postgres'],
  ['ingress', 'nats'],
  ['ingress', 'postgres'],
  ['operator', 'nats'],
  ['operator', 'delivery'],
  ['egress', 'nats'],
  ['gateway', 'nats'],
  ['gateway', 'postgres'],
  ['nats', 'nats'],
];

const partitionOf = ([one, other]: (typeof PAIRS)[number]): Fault => ({
  name: `cut-${one}-${other}`,
  what: `no packets between one ${one} and one ${other} for 10 to 40 s`,
  parts: one === other ? [one, 'control'] : [one, other, 'control'],
  // Without NATS the lease of a movable address ends, and its connections with it.
  mayRepeat: [one, other].includes('egress'),
  async inject(scene, random) {
    const inside = scene.anyOf(one, random);
    const others = scene.processes(other).filter(({ pod }) => pod !== inside.pod);
    const { pod } = random.pick(others.sort((a, b) => (a.pod < b.pod ? -1 : 1)));
    const undo = await scene.cut(inside, await scene.podAddress(pod));
    return { detail: `${inside.pod} ↮ ${pod}`, holdSeconds: between(random, 10, 40), undo };
  },
});

export const partitions: readonly Fault[] = PAIRS.map(partitionOf);
