// Content by its SHA-256 digest, in the cache: layers, configurations and manifests of all images.
import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { cacheFolder } from '../tools/cache.ts';

export interface Blob {
  /** `sha256:<hex>` */
  readonly digest: string;
  readonly sizeBytes: number;
}

export const imagesFolder = (): string => join(cacheFolder(), 'images');

/** Where the blob's content is. */
export const blobPath = ({ digest }: Pick<Blob, 'digest'>): string =>
  join(imagesFolder(), 'blobs', 'sha256', digest.replace('sha256:', ''));

/** Stores a stream. */
export async function putStream(content: Readable): Promise<Blob> {
  const temporary = `${blobPath({ digest: `.new-${process.pid}-${Math.random().toString(36).slice(2)}` })}`;
  mkdirSync(join(temporary, '..'), { recursive: true });
  const hash = createHash('sha256');
  content.on('data', (chunk: Buffer) => hash.update(chunk));
  await pipeline(content, createWriteStream(temporary));
  const digest = `sha256:${hash.digest('hex')}`;
  await rename(temporary, blobPath({ digest }));
  return { digest, sizeBytes: (await stat(blobPath({ digest }))).size };
}

/** Stores a small document. */
export function putDocument(document: object): Blob {
  const content = JSON.stringify(document);
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const path = blobPath({ digest });
  mkdirSync(join(path, '..'), { recursive: true });
  if (!existsSync(path)) writeFileSync(path, content);
  return { digest, sizeBytes: Buffer.byteLength(content) };
}

export const readBlob = (blob: Blob): Readable => createReadStream(blobPath(blob));

/** Whether the blob is there; marks it as in use. */
export function hasBlob(blob: Blob): boolean {
  if (!existsSync(blobPath(blob))) return false;
  const now = new Date();
  utimesSync(blobPath(blob), now, now);
  return true;
}

const UNUSED_DAYS = 14;

/** Removes blobs that no build has used for two weeks. */
export async function prune(now = Date.now()): Promise<void> {
  const folder = join(imagesFolder(), 'blobs', 'sha256');
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const ageMs = now - (await stat(path)).mtimeMs;
    if (ageMs > UNUSED_DAYS * 86_400_000) await rm(path, { force: true });
  }
}
