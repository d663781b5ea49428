// The last pod hangs while its shards are asked to move, and comes back later believing that it owns them.
import { between, type Fault } from '../fault.ts';

export const stopOwnerAndScale: Fault = {
  name: 'stop-owner-and-scale',
  what: 'SIGSTOP of the last delivery pod, scale 3 → 2 at once, SIGCONT later, back to 3',
  parts: ['delivery', 'pool', 'operator'],
  mayRepeat: true,
  senderDies: true,
  async inject(scene, random) {
    const owners = scene.processes('delivery').sort((a, b) => (a.pod < b.pod ? 1 : -1));
    const resume = scene.stop(owners.slice(0, 1));
    await scene.scale('sendingpool/demo', 2);
    return {
      detail: owners[0]?.pod ?? '',
      holdSeconds: between(random, 10, 45),
      async undo() {
        await resume();
        await scene.scale('sendingpool/demo', 3);
      },
    };
  },
};
