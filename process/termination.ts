// SIGTERM, from the first moment on. A container's first process has no default for signals: one that it does not listen to is
// lost, and Kubernetes sends it once. A pod that was deleted while it was starting then worked on, unlisted, until the end of its
// grace, and was killed with mail in hand.

type Take = (signal: NodeJS.Signals) => void;

/** While a process is starting nothing is in its hands that is not durable elsewhere: it ends at once. */
const endNow: Take = (signal) => process.exit(signal === 'SIGINT' ? 130 : 143);
let take = endNow;
let listening = false;

/** Listens: until `askedToEnd` is called, SIGTERM and SIGINT end the process. Calling it again does nothing. */
export function heedTermination(): void {
  if (listening) return;
  listening = true;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => take(signal));
}

/** From now on the role ends itself, in its own order: resolves with the first signal. */
export function askedToEnd(): Promise<NodeJS.Signals> {
  heedTermination();
  return new Promise((resolve) => {
    take = resolve;
  });
}
