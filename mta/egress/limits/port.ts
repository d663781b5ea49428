// What else bounds a grant beside the limits, such as the warm-up of the address: how much room it leaves, and what it hears of a grant.
import type { ConnectRefusal } from '../../bus/connect.ts';

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
