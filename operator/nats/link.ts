// The operator's connection to NATS: made in the background, for the operator's work on Kubernetes never waits for it.
import { type Bus, type BusSettings, connectBus } from '../../mta/bus/client.ts';
import { FleetStore } from './fleet-store.ts';

/** NATS as far as it is connected and proven durable. */
export type BusState =
  | { readonly kind: 'Up'; readonly bus: Bus; readonly store: FleetStore }
  | { readonly kind: 'Down'; readonly obstacle: string };

export interface NatsLink {
  state(): BusState;
  close(): Promise<void>;
}

/** @param onObstacle told of every change; null: mail may be entrusted to NATS. */
export function linkNats(settings: BusSettings, onObstacle: (obstacle: string | null) => void): NatsLink {
  let up: { readonly bus: Bus; readonly store: FleetStore } | null = null;
  let failure = 'not connected';
  let closed = false;
  const connecting = connectBus(settings, 'operator', onObstacle).then(
    async (bus) => {
      if (closed) return bus.close();
      up = { bus, store: new FleetStore(bus) };
    },
    (error: unknown) => {
      failure = `cannot connect: ${(error as Error).message}`;
      onObstacle(failure);
    },
  );
  return {
    state() {
      const obstacle = up ? up.bus.obstacle() : failure;
      return up && obstacle === null
        ? { kind: 'Up', ...up }
        : { kind: 'Down', obstacle: obstacle ?? failure };
    },
    async close() {
      closed = true;
      if (up) await up.bus.close();
      else void connecting;
    },
  };
}
