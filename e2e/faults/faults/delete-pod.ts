// A pod deleted by hand: it may end in an orderly way, so nothing may be repeated.
import { between, type Fault, nothingToUndo } from '../fault.ts';

const deletionOf = (role: 'delivery' | 'ingress'): Fault => ({
  name: `delete-${role}-pod`,
  what: `kubectl delete pod of one ${role}`,
  parts: [role, 'control'],
  mayRepeat: false,
  senderDies: role === 'delivery',
  async inject(scene, random) {
    const { pod } = scene.anyOf(role, random);
    await scene.kubectl('delete', 'pod', pod, '--wait=false');
    return { detail: pod, holdSeconds: between(random, 5, 15), undo: nothingToUndo };
  },
});

export const deletions: readonly Fault[] = [deletionOf('delivery'), deletionOf('ingress')];
