// A pod that believes to hold the address, for the tests that kill it: sends as fast as it is let, and names every recipient that
// "the provider" accepts on its output before it charges it. A line on its input is the next scene.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { connectBus } from '../../bus/client.ts';
import { COMPLAINTS_BUCKET, WARMUP_BUCKET } from '../../bus/names.ts';
import type { IPPoolSnapshot } from '../../bus/snapshot.ts';
import { Complaints } from './complaints.ts';
import { ledgerStore } from './store.ts';
import { Warmup } from './warmup.ts';

export interface Scene {
  /** What the clock says at first, ms since the epoch. */
  readonly at: number;
  readonly ipPool: Pick<IPPoolSnapshot, 'addresses' | 'warmup'>;
  readonly leave?: boolean;
}

/** In one piece, and before anything else: a reader that is slow must not cost a line. */
function say(text: string): void {
  for (;;)
    try {
      writeSync(1, text);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
}

const [nats = '', monitor = '', address = ''] = process.argv.slice(2);
const settings = {
  POSTFLEET_NATS_URL: [nats],
  POSTFLEET_NATS_REPLICAS: 1,
  POSTFLEET_NATS_MONITOR_URL: monitor,
  POSTFLEET_IDENTITY_DIR: '/nowhere',
};
const bus = await connectBus(settings, 'egress');
const state: { scene: Scene | null } = { scene: null };
let since = 0;
const complaints = new Complaints(
  () => bus.kv(COMPLAINTS_BUCKET),
  () => {},
);
complaints.follow([address]);
const warmup = new Warmup({
  ipPool: () => state.scene?.ipPool ?? null,
  store: (a, provider) => ledgerStore(() => bus.kv(WARMUP_BUCKET), bus.obstacle, a, provider, Date.now),
  now: () => (state.scene?.at ?? 0) + performance.now() - since,
  warn: () => {},
  complaintsAfter: complaints.after,
});
setInterval(() => warmup.tick(), 50).unref();

createInterface({ input: process.stdin }).on('line', (line) => {
  const scene = JSON.parse(line) as Scene;
  state.scene = scene;
  since = performance.now();
  warmup.replan();
  if (scene.leave) void warmup.close().then(() => say('left\n'));
});

for (;;) {
  const { scene } = state;
  const room = scene && !scene.leave ? warmup.room(address, 'google') : ({ kind: 'Busy' } as const);
  if (room.kind === 'Reserve') await warmup.reserve(address, 'google');
  const one = room.kind === 'Open' ? warmup.claim(address, 'google', 7) : null;
  if (one) {
    say('accepted\n'.repeat(one.recipients));
    one.report({ accepted: one.recipients });
    one.end();
  } else say(`${room.kind}\n`);
  await delay(one ? 0 : 5);
}
