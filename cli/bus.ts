// NATS for the verbs that need it: run in an ingress pod, whose certificate and settings they use.
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { Refusal } from '../gateway/refusal.ts';
import { type Bus, connectBus } from '../mta/bus/client.ts';
import { commonSettings, natsSettings, readSettings } from '../process/settings.ts';

const { POSTFLEET_IDENTITY_DIR } = commonSettings;
const settings = z.object({ POSTFLEET_IDENTITY_DIR, ...natsSettings });
const PATIENCE_MS = 10_000;

/** Gives `work` the bus when NATS has proven to be durable, and closes it. @throws SettingsError, Refusal when that takes too long. */
export async function withBus<T>(work: (bus: Bus) => Promise<T>): Promise<T> {
  const proven = Promise.withResolvers<void>();
  let obstacle: string | null = null;
  const connected = connectBus(readSettings(settings), 'ingress', (why) => {
    obstacle = why;
    if (why === null) proven.resolve();
  });
  const late = delay(PATIENCE_MS, null, { ref: false });
  const bus = await Promise.race([connected, late]);
  const isReady = bus && (await Promise.race([proven.promise.then(() => true), late]));
  try {
    if (!isReady) throw new Refusal(`NATS cannot be used: ${obstacle}`);
    return await work(bus);
  } finally {
    await bus?.close();
  }
}
