// The NATS server that leads most streams is killed, again and again.
import { setTimeout as delay } from 'node:timers/promises';
import { between, type Fault, nothingToUndo } from '../fault.ts';
import type { Scene } from '../scene.ts';

interface Jsz {
  readonly account_details?: readonly {
    readonly stream_detail?: readonly { readonly cluster?: { readonly leader?: string } }[];
  }[];
}

/** Pods by the number of streams they lead, as one of the servers tells. */
async function leaders(scene: Scene): Promise<Map<string, number>> {
  const [asked] = scene.processes('nats');
  const answer = await scene.ask(`https:${asked?.pod}:8222`, '/jsz?accounts=true&streams=true');
  const jsz = JSON.parse(answer) as Jsz;
  const counts = new Map<string, number>();
  for (const { stream_detail = [] } of jsz.account_details ?? [])
    for (const { cluster } of stream_detail)
      if (cluster?.leader) counts.set(cluster.leader, (counts.get(cluster.leader) ?? 0) + 1);
  return counts;
}

export const natsLeader: Fault = {
  name: 'kill-nats-leader',
  what: 'kill -9 of the NATS server that leads most streams, twice',
  parts: ['nats', 'control'],
  mayRepeat: false,
  async inject(scene, random) {
    const killed: string[] = [];
    for (let time = 0; time < 2; time++) {
      if (time > 0) await delay(8000);
      const [[pod = '', streams = 0] = []] = [...(await leaders(scene))].sort(([, a], [, b]) => b - a);
      const victim = scene.processes('nats').find((one) => one.pod === pod) ?? scene.anyOf('nats', random);
      scene.kill(victim);
      killed.push(`${victim.pod} (led ${streams})`);
    }
    return { detail: killed.join(', '), holdSeconds: between(random, 5, 10), undo: nothingToUndo };
  },
};
