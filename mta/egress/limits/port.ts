// What else bounds a grant beside the limits, such as the warm-up of the address: how much room it leaves, and what it hears of a grant.
import type { ConnectRefusal } from '../../bus/connect.ts';
import type { Missing } from '../../policy/limits/borrowing.ts';
import type { PoolLimits } from '../../policy/limits/poolcap.ts';

/** What became of some recipients of a grant. */
export interface Outcome {
  readonly accepted: number;
  readonly deferred: number;
  /** How many of the deferred were so for the sake of the source address. */
  readonly ofAddress: number;
  readonly bounced: number;
  /** The last refusing reply; one that speaks of the address, where there are such. */
  readonly reply?: string | undefined;
}

export type Room =
  /** Infinity: no limit. */
  | { readonly kind: 'open'; readonly recipients: number }
  /** Something is to be written first: `reserve`, then look again. */
  | { readonly kind: 'reserve' }
  | {
      readonly kind: 'none';
      readonly reason: ConnectRefusal;
      readonly message: string;
      readonly retryMs: number;
    };

/** A part of the room, for one connection. */
export interface RoomClaim {
  /** No transaction may start from then on, ms since the epoch; null: it says nothing about that. */
  readonly until: number | null;
  report(outcome: Outcome): void;
  /** Nothing more is reported. `used`: how many of the rest count as accepted; without word of them, all do. */
  end(used?: number): void;
}

export interface OtherRoom {
  room(address: string, provider: string): Room;
  /** Resolves when `room` may be asked again; never rejects. */
  reserve(address: string, provider: string): Promise<void>;
  /** Takes so many; asked in the same instant as a `room` that had as many. Null: it does not count them. */
  claim(address: string, provider: string, recipients: number): RoomClaim | null;
}

export const NO_OTHER: OtherRoom = {
  room: () => ({ kind: 'open', recipients: Number.POSITIVE_INFINITY }),
  reserve: async () => {},
  claim: () => null,
};

/** What this pod has in hand of a cap over the whole pool at a provider. */
export type PoolRoom =
  | { readonly kind: 'open'; readonly connections: number; readonly recipients: number }
  /** The lender is being asked: look again then. */
  | { readonly kind: 'wait'; readonly until: Promise<void> }
  | {
      readonly kind: 'none';
      readonly missing: Missing;
      /** Why the lender cannot be asked; null: it has said that there is no more. */
      readonly why: string | null;
      readonly retryMs: number;
      readonly cap: PoolLimits;
    };

/** A part of it, for one connection. */
export interface PoolClaim extends Omit<RoomClaim, 'until'> {
  /** False once the connection must carry nothing more. */
  mayCarry(): boolean;
  /** The dial has ended; `attempted` is false when no packet left. */
  dialled(attempted: boolean): void;
  /** The connection is gone. */
  closed(): void;
}

export interface PoolShare {
  /** Null: there is no cap. `recipients`: how many are wanted. */
  room(provider: string, recipients: number): PoolRoom | null;
  /** Takes a connection and so many recipients, in the same instant as a `room` that had them. `onEnd`: it has to be closed. */
  claim(provider: string, recipients: number, onEnd: () => void): PoolClaim | null;
}

export const NO_POOL_CAPS: PoolShare = { room: () => null, claim: () => null };
