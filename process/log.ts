// The one logger: JSON lines on standard output. A room takes `log.child({ room: '…' })`.
import { pino } from 'pino';

export const log = pino({
  level: process.env.POSTFLEET_LOG_LEVEL ?? (process.env.JEST_WORKER_ID ? 'silent' : 'info'),
  base: undefined,
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (label) => ({ level: label }) },
});
export type Log = typeof log;
