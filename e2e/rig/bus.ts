// The bus of a test to the NATS that it has started.
import { tmpdir } from 'node:os';
import { type Bus, connectBus } from '../../mta/bus/client.ts';
import type { Nats } from './nats.ts';

export interface ConnectOptions {
  /** What a stream needs to be as durable as the profile says; 1. */
  readonly replicas?: number;
  /** Where the certificate is, if NATS asks for one. */
  readonly identityDir?: string;
}

/** @param name as the connection is called */
export const connectTo = (
  { env }: Pick<Nats, 'env'>,
  name: string,
  { replicas = 1, identityDir = tmpdir() }: ConnectOptions = {},
): Promise<Bus> =>
  connectBus(
    {
      POSTFLEET_NATS_URL: env.POSTFLEET_NATS_URL.split(','),
      POSTFLEET_NATS_REPLICAS: replicas,
      POSTFLEET_NATS_MONITOR_URL: env.POSTFLEET_NATS_MONITOR_URL,
      POSTFLEET_IDENTITY_DIR: identityDir,
    },
    name,
  );

/** What a dead owner had in hand comes again after so long, instead of 30 s. */
export async function shortenAckWait(bus: Bus, streams: readonly string[], ms: number): Promise<void> {
  const { consumers } = await bus.manager();
  for (const stream of streams)
    for await (const { name } of consumers.list(stream))
      await consumers.update(stream, name, { ack_wait: ms * 1_000_000 });
}
