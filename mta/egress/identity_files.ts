// This pod's certificate for the server, from the identity folder; taken up again when it was renewed.
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { Server } from 'node:https';
import { join } from 'node:path';
import type { Log } from '../../process/log.ts';
import type { TlsFiles } from './server.ts';

const LOOK_EVERY_MS = 30_000;

export function readIdentity(folder: string): TlsFiles {
  const file = (name: string) => readFileSync(join(folder, name));
  return { cert: file('tls.crt'), key: file('tls.key'), ca: file('ca.crt') };
}

/** Gives the server each renewed certificate; connections that are open keep theirs. Returns how to stop. */
export function followIdentity(server: Server, folder: string, log: Log): () => void {
  const path = join(folder, 'tls.crt');
  watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, () => {
    try {
      server.setSecureContext({ ...readIdentity(folder), minVersion: 'TLSv1.3' });
    } catch (error) {
      log.warn({ err: error }, 'a renewed certificate cannot be used yet');
    }
  });
  return () => unwatchFile(path);
}
