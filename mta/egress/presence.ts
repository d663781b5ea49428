// How an address comes to be on the machine: it is there (presence of fixed addresses), or the holder brings it up (bringup.ts).
import { machineHas } from './interfaces.ts';

export interface Presence {
  /** Why it cannot be bound or brought up here now; null: it can. */
  obstacle(): string | null;
  /** Makes sure that it is there for the next `ms`, counted from when it is asked. Rejects with the reason when it is not. */
  raise(ms: number): Promise<void>;
  /** Takes it away again. Never rejects. */
  lower(): Promise<void>;
}

/** Of an address that is the machine's own affair. */
export function fixedPresence(address: string): Presence {
  return {
    obstacle: () => (machineHas(address) ? null : 'this machine does not have the address'),
    async raise() {},
    async lower() {},
  };
}
