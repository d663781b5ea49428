// Time that only goes forward, passed in so that tests have it by hand.

/** Monotonic time in ms, and timers by it. */
export interface Clock {
  now(): number;
  after(ms: number, run: () => void): () => void;
}
export const monotonicClock: Clock = {
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
};
