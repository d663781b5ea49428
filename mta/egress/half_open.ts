// A caller whose node died says no goodbye: its connections stay open here, and their slots taken, until the kernel has asked in vain.
// A process that is only stopped still has a kernel that answers, so what is past its final dot is not cut off.
import type { Socket } from 'node:net';

/** Quiet for so long: the first question, then one at each interval. Together less than a lease (10 s). */
const ASK_AFTER_MS = 3000;
const INTERVAL_MS = 2000;
const QUESTIONS = 3;

/** Node's own types do not know interval and count yet. */
type KeepAlive = (options: { enable: true; initialDelay: number; interval: number; count: number }) => void;

/** Has the kernel find out within ten seconds that the other end is gone. */
export function noticeDeath(socket: Socket): void {
  const setKeepAlive = socket.setKeepAlive.bind(socket) as unknown as KeepAlive;
  setKeepAlive({ enable: true, initialDelay: ASK_AFTER_MS, interval: INTERVAL_MS, count: QUESTIONS });
}
