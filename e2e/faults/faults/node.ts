// A node that is lost and comes back: cut off with everything on it running on, or switched off.
import { between, type Fault } from '../fault.ts';
import { SECOND_NODE } from '../site.ts';

const lossOf = (name: string, what: string, switchedOff: boolean): Fault => ({
  name,
  what,
  parts: ['delivery', 'egress', 'control', 'pool', 'operator'],
  mayRepeat: true,
  senderDies: true,
  async inject(scene, random) {
    const { cluster } = scene.stage;
    const there = scene.processesOn(SECOND_NODE);
    await cluster.stopNode(SECOND_NODE);
    if (switchedOff) scene.killNode(SECOND_NODE);
    return {
      detail: there.map(({ pod }) => pod).join(', '),
      holdSeconds: between(random, 30, 90),
      undo: () => scene.returnNode(SECOND_NODE),
    };
  },
});

export const nodes: readonly Fault[] = [
  lossOf('cut-node', 'the second node without network and kubelet for 30 to 90 s; its pods run on', false),
  lossOf('lose-node', 'the second node switched off for 30 to 90 s: every process of its pods killed', true),
];
