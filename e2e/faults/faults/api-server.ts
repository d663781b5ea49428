// Kubernetes' API hangs: no operator write, no new identity, no kubelet status.
import { signal } from '../../cluster/system/identity.ts';
import { between, type Fault } from '../fault.ts';
import { controlProgram } from '../processes.ts';

export const apiServerStopped: Fault = {
  name: 'stop-api-server',
  what: 'SIGSTOP of the API server for 10 to 30 s',
  parts: ['control', 'pool'],
  mayRepeat: false,
  async inject(scene, random) {
    const server = controlProgram(scene.place, 'kube-apiserver');
    signal(server, 'SIGSTOP');
    return {
      detail: 'kube-apiserver',
      holdSeconds: between(random, 10, 30),
      undo: async () => signal(server, 'SIGCONT'),
    };
  },
};
