// A holder that has handed its address over and whose last connections are still ending says so in the lease of its successor: how many
// are left, and at last that it is gone. The holder keeps what it finds there (keeper.ts), so both write by compare-and-set.
import type { AddressLease, Lingering } from '../bus/snapshot.ts';
import type { Clock } from './clock.ts';
import type { LeaseStore } from './lease.ts';

const SAY_MS = 2_000;

/** `record` with what pod `uid` still has open; null: it says so already, or does not name the pod. Pure. */
export function restated(record: AddressLease, uid: string, open: Lingering['open']): AddressLease | null {
  const { lingering = [], ...rest } = record;
  const own = lingering.find(({ holder }) => holder.uid === uid);
  if (!own || JSON.stringify(own.open) === JSON.stringify(open)) return null;
  const none = Object.keys(open).length === 0;
  const all = lingering.flatMap((one) => (one !== own ? [one] : none ? [] : [{ ...own, open }]));
  return all.length > 0 ? { ...rest, lingering: all } : rest;
}

/** Keeps the lease true until nothing is open, or `signal` aborts. What NATS does not take is said again. Never rejects. */
export async function sayUntilGone(
  store: LeaseStore,
  uid: string,
  open: () => Lingering['open'],
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const now = open();
    const said = await say(store, uid, now);
    if (signal.aborted || (said && Object.keys(now).length === 0)) return;
    await pause(clock, said ? SAY_MS : SAY_MS / 4, signal);
  }
}

async function say(store: LeaseStore, uid: string, open: Lingering['open']): Promise<boolean> {
  try {
    const { record, revision } = await store.read();
    const next = record && restated(record, uid, open);
    if (next) await store.write(next, revision);
    return true;
  } catch {
    return false; // the holder has renewed meanwhile, or NATS is away
  }
}

/** Resolves after `ms`, or when `signal` aborts. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal.addEventListener('abort', done);
  });
}
