// A layer is a tar that depends on nothing but its files: sorted, without times, owned by root.
import { createHash } from 'node:crypto';
import {
  createReadStream,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import { type Blob, hasBlob, imagesFolder, putStream } from './blobs.ts';

/** `path` is absolute in the image. */
export type Entry =
  | { readonly kind: 'folder'; readonly path: string; readonly mode?: number }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'text'; readonly path: string; readonly text: string }
  | { readonly kind: 'file'; readonly path: string; readonly source: string; readonly executable: boolean };

/** Entries sorted, each path once (the last one wins), and with all folders above them. Pure. */
export function complete(entries: readonly Entry[]): Entry[] {
  const byPath = new Map<string, Entry>();
  for (const { path } of entries) {
    for (let above = dirname(path); above !== '/'; above = dirname(above)) {
      if (!byPath.has(above)) byPath.set(above, { kind: 'folder', path: above });
    }
  }
  for (const entry of entries) byPath.set(entry.path, entry);
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function write(tar: Pack, entry: Entry): Promise<void> {
  const name = posix.relative('/', entry.path);
  const common = { mtime: new Date(0), uid: 0, gid: 0 };
  switch (entry.kind) {
    case 'folder':
      tar.entry({ ...common, name: `${name}/`, type: 'directory', mode: entry.mode ?? 0o755 });
      return;
    case 'link':
      tar.entry({ ...common, name, type: 'symlink', linkname: entry.target });
      return;
    case 'text':
      tar.entry({ ...common, name, mode: 0o644 }, entry.text);
      return;
    case 'file': {
      const mode = entry.executable ? 0o755 : 0o644;
      const sink = tar.entry({ ...common, name, mode, size: statSync(entry.source).size });
      await pipeline(createReadStream(entry.source), sink);
    }
  }
}

/** The tar of a layer, as a stream. */
export function layerTar(entries: readonly Entry[]): Readable {
  const tar = pack();
  const fill = async () => {
    for (const entry of complete(entries)) await write(tar, entry);
    tar.finalize();
  };
  fill().catch((error) => tar.destroy(error));
  return Readable.from(tar as unknown as AsyncIterable<Buffer>, { objectMode: false });
}

/** Writes a layer. */
export const writeLayer = (entries: readonly Entry[]): Promise<Blob> => putStream(layerTar(entries));

/** Digest of how layers are made: a change of the recipe makes new layers. */
function recipe(): string {
  const hash = createHash('sha256');
  const sources = readdirSync(import.meta.dirname).filter((name) => /(?<!\.test)\.ts$/.test(name));
  for (const name of sources.sort()) hash.update(readFileSync(join(import.meta.dirname, name)));
  return hash.digest('hex').slice(0, 8);
}

/**
 * A layer whose content `key` stands for (versions, a lock file's hash): written when there is none under that key.
 * The key must change with everything that the entries depend on.
 */
export async function cachedLayer(key: string, entries: () => Promise<readonly Entry[]>): Promise<Blob> {
  const record = join(imagesFolder(), 'layers', `${key}-${recipe()}.json`);
  const known = readRecord(record);
  if (known && hasBlob(known)) return known;
  const blob = await writeLayer(await entries());
  mkdirSync(dirname(record), { recursive: true });
  writeFileSync(`${record}.${process.pid}`, JSON.stringify(blob));
  renameSync(`${record}.${process.pid}`, record);
  return blob;
}

function readRecord(path: string): Blob | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Blob;
  } catch {
    return undefined;
  }
}
