// A drain whose operator dies at step after step: the next one has only what it finds.
import { setTimeout as delay } from 'node:timers/promises';
import { between, type Fault } from '../fault.ts';

const DEATHS = 4;

export const drainWithoutOperator: Fault = {
  name: 'kill-operator-in-drain',
  what: 'the pool scaled to 1, the operator pod ended by force four times meanwhile, then back to 3',
  parts: ['pool', 'operator', 'control'],
  mayRepeat: false,
  senderDies: true,
  async inject(scene, random) {
    await scene.scale('sendingpool/demo', 1);
    let deaths = 0;
    for (let time = 0; time < DEATHS; time++) {
      await delay(between(random, 2, 7) * 1000);
      const [operator] = scene.processes('operator');
      if (!operator) continue;
      // A new pod, not a restart of the container: the kubelet would wait longer each time.
      await scene.kubectl('delete', 'pod', operator.pod, '--force', '--grace-period=0', '--ignore-not-found');
      deaths++;
    }
    const undo = async () => void (await scene.scale('sendingpool/demo', 3));
    return { detail: `${deaths} operators`, holdSeconds: between(random, 5, 30), undo };
  },
};
