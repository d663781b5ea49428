// The last resort of a role that holds mail: an error that nobody caught is logged, and the process goes on. Ending it would cost more
// than what went wrong (every session, everything in memory), and one message could end every pod that takes it in turn (OWASP ASVS 16.5.4).
import type { Log } from './log.ts';

/** Catches what nobody caught; `told` is told of each. Returns how to stop that. */
export function keepRunning(log: Log, told: (error: unknown) => void = () => {}): () => void {
  const caught = (error: unknown, origin: NodeJS.UncaughtExceptionOrigin) => {
    log.error({ err: error, origin }, 'an error that nobody caught; the process goes on');
    told(error);
  };
  const rejected = (reason: unknown) => caught(reason, 'unhandledRejection');
  process.on('uncaughtException', caught).on('unhandledRejection', rejected);
  return () => {
    process.off('uncaughtException', caught).off('unhandledRejection', rejected);
  };
}
