// The certificate clients see, read from its folder, and read again when it changes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TlsFiles {
  readonly key: Buffer;
  readonly cert: Buffer;
}

const CHECK_MS = 60_000;

/** @throws Error when a file is missing. */
export const readTlsFiles = (folder: string): TlsFiles => ({
  key: readFileSync(join(folder, 'tls.key')),
  cert: readFileSync(join(folder, 'tls.crt')),
});

/** Calls `changed` when the files are others than before; what cannot be used is left. Returns how to stop. */
export function watchTlsFiles(
  folder: string,
  changed: (files: TlsFiles) => void,
  onError: (error: Error) => void,
): () => void {
  let last = readTlsFiles(folder);
  const timer = setInterval(() => {
    try {
      const files = readTlsFiles(folder);
      if (files.cert.equals(last.cert) && files.key.equals(last.key)) return;
      changed(files);
      last = files;
    } catch (error) {
      onError(error as Error);
    }
  }, CHECK_MS).unref();
  return () => clearInterval(timer);
}
