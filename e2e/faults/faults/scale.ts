// 3 → 1 → 3: shards and spooled mail move, and the way back may come in the middle of it.
import { between, type Fault } from '../fault.ts';

export const scaleDownAndUp: Fault = {
  name: 'scale-3-1-3',
  what: 'the pool scaled to 1, and back to 3 after 5 to 60 s, drained or not',
  parts: ['pool'],
  mayRepeat: false,
  senderDies: true,
  async inject(scene, random) {
    await scene.scale('sendingpool/demo', 1);
    const undo = async () => void (await scene.scale('sendingpool/demo', 3));
    return { detail: 'sendingpool/demo', holdSeconds: between(random, 5, 60), undo };
  },
};
