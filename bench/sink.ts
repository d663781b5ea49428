// Debian's smtp-sink, one per address, and how many messages they have taken together.
import { existsSync } from 'node:fs';
import { Child } from '../e2e/rig/servers.ts';

export interface Sinks {
  readonly addresses: readonly string[];
  received(): number;
  stop(): Promise<void>;
}

/** Starts `count` sinks on port 25 of 127.1.0.1, 127.1.0.2, … */
export function startSinks(count: number): Sinks {
  if (!existsSync('/usr/sbin/smtp-sink'))
    throw new Error('the bench needs smtp-sink: apt-get install postfix');
  const addresses = Array.from({ length: count }, (_, i) => `127.1.0.${i + 1}`);
  // -c prints a running count at each final dot.
  const sinks = addresses.map(
    (address) =>
      new Child('/usr/sbin/smtp-sink', ['-c', '-u', 'nobody', `inet:${address}:25`, '1000'], {
        name: `smtp-sink ${address}`,
      }),
  );
  const last = (sink: Child) => {
    const counts = /sess=\d+ quit=\d+ mesg=(\d+)[^=]*$/.exec(sink.output.slice(-200));
    return Number(counts?.[1] ?? 0);
  };
  return {
    addresses,
    received: () => sinks.reduce((sum, sink) => sum + last(sink), 0),
    stop: async () => void (await Promise.all(sinks.map((sink) => sink.stop('SIGKILL')))),
  };
}
