// The moment that cannot be made safe (RFC 1047): the mail server has the message, and its reply is late or never comes.
import { setTimeout as delay } from 'node:timers/promises';
import type { Behaviour } from '../../internet/behaviour.ts';
import { between, type Fault } from '../fault.ts';
import type { Scene, Undo } from '../scene.ts';

const HOSTS = ['mx.birch.example', 'mx.cedar.example'];
const LATE_MS = 25_000;
const VERY_LATE_MS = 120_000;
const BEFORE_STOP_MS = 25_000;

/** Gives the hosts a behaviour; undone by their own, and when `lastMs` later their last sessions have had their answers. */
async function behave(scene: Scene, behaviour: Behaviour, lastMs: number): Promise<Undo> {
  const { internet, world } = scene.stage;
  for (const host of HOSTS) await internet.setBehaviour(host, behaviour);
  return async () => {
    for (const { hostname, behaviour: own } of world.hosts)
      if (HOSTS.includes(hostname)) await internet.setBehaviour(hostname, own);
    await delay(lastMs);
  };
}

export const slowFinalDot: Fault = {
  name: 'slow-final-dot',
  what: 'two mail servers answer the final dot 25 s late, for 20 to 60 s',
  parts: ['internet'],
  mayRepeat: false,
  async inject(scene, random) {
    const undo = await behave(scene, { delayMs: { dot: LATE_MS } }, LATE_MS);
    return { detail: HOSTS.join(', '), holdSeconds: between(random, 20, 60), undo };
  },
};

export const noFinalReply: Fault = {
  name: 'no-final-reply',
  what: 'two mail servers take a third of their messages and close instead of answering, once each, for 10 to 30 s',
  parts: ['internet'],
  mayRepeat: true,
  async inject(scene, random) {
    const undo = await behave(scene, { dropAfterDot: { share: 0.33, record: true, times: 1 } }, 0);
    return { detail: HOSTS.join(', '), holdSeconds: between(random, 10, 30), undo };
  },
};

/** Its address is another's, or locked, while a session is past the final dot on the connection that it granted. */
export const leaseEndsAtFinalDot: Fault = {
  name: 'lease-ends-at-final-dot',
  what: 'two mail servers answer the final dot 2 minutes late; the egress pods SIGSTOPped for 40 s meanwhile, beyond their leases',
  parts: ['internet', 'egress', 'delivery'],
  mayRepeat: true,
  async inject(scene) {
    const undo = await behave(scene, { delayMs: { dot: VERY_LATE_MS } }, VERY_LATE_MS);
    await delay(BEFORE_STOP_MS);
    const holders = scene.processes('egress');
    const troubleFrom = Date.now();
    const resume = scene.stop(holders);
    await delay(40_000).finally(resume);
    return { detail: holders.map(({ pod }) => pod).join(', '), holdSeconds: 1, undo, troubleFrom };
  },
};
