// A lock among the processes of one network namespace, given back by the kernel when its process ends: a listening abstract
// Unix socket. With the host's network that is a lock of the node; no file, no stale lock, no volume.
import { createServer, type Server } from 'node:net';

export interface NodeLock {
  /** True when this process has it now. */
  acquire(): Promise<boolean>;
  release(): Promise<void>;
}

export function nodeLock(name: string): NodeLock {
  let held: Server | null = null;
  return {
    async acquire() {
      held ??= await listen(`\0postfleet-egress/${name}`);
      return held !== null;
    },
    async release() {
      const server = held;
      held = null;
      await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
    },
  };
}

function listen(path: string): Promise<Server | null> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    );
    server.listen({ path }, () => resolve(server.unref()));
  });
}
