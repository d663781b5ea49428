// Two of three NATS servers away: no stream can confirm anything.
import { between, type Fault } from '../fault.ts';

export const natsTwoStopped: Fault = {
  name: 'stop-two-nats',
  what: 'SIGSTOP of two of three NATS servers for 10 to 25 s',
  parts: ['nats'],
  mayRepeat: false,
  async inject(scene, random) {
    const spared = scene.anyOf('nats', random);
    const victims = scene.processes('nats').filter(({ pod }) => pod !== spared.pod);
    const undo = scene.stop(victims);
    return { detail: victims.map(({ pod }) => pod).join(', '), holdSeconds: between(random, 10, 25), undo };
  },
};

export const natsTwoDown: Fault = {
  name: 'two-nats-down',
  what: 'the NATS StatefulSet scaled to 1 for 15 to 40 s, then to 3 again',
  parts: ['nats', 'control'],
  mayRepeat: false,
  async inject(scene, random) {
    await scene.scale('statefulset/postfleet-nats', 1);
    const undo = async () => void (await scene.scale('statefulset/postfleet-nats', 3));
    return { detail: 'postfleet-nats-1, postfleet-nats-2', holdSeconds: between(random, 15, 40), undo };
  },
};

export const natsRolling: Fault = {
  name: 'roll-nats',
  what: 'rolling restart of the three NATS servers',
  parts: ['nats', 'control'],
  mayRepeat: false,
  async inject(scene) {
    await scene.kubectl('rollout', 'restart', 'statefulset/postfleet-nats');
    const done = () => scene.kubectl('rollout', 'status', 'statefulset/postfleet-nats', '--timeout=150s');
    return { detail: 'one by one', holdSeconds: 1, undo: async () => void (await done()) };
  },
};
