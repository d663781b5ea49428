// Images into a node's containerd: only what it does not have. (`images` of ctr, not of the kubelet: there is no registry.)
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { archive, type Image } from '../../image/layout.ts';
import { ctr, ctrArguments } from '../node.ts';
import type { Place } from '../place.ts';

/** Digest of the manifest that containerd has under that name, from `ctr images ls`. Pure. */
export function digestOf(listing: string, name: string): string | undefined {
  const columns = listing
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(([reference]) => reference === name);
  return columns?.find((column) => column.startsWith('sha256:'));
}

/** Gives the node the image, unless it has that very one; layers that it has are not sent. @returns whether it was sent */
export async function importImage(place: Place, node: number, image: Image): Promise<boolean> {
  const listing = await ctr(place, node, ['images', 'ls']);
  if (digestOf(listing, image.name) === image.manifest.digest) return false;
  const known = new Set((await ctr(place, node, ['content', 'ls', '-q'])).split('\n'));
  await load(place, node, archive(image, known));
  return true;
}

/** Gives the node an archive as `docker save` writes it. */
export const importArchive = (place: Place, node: number, file: string): Promise<void> =>
  load(place, node, createReadStream(file));

async function load(place: Place, node: number, tar: Readable): Promise<void> {
  const child = spawn('ctr', ctrArguments(place, node, ['images', 'import', '-']), {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const ended = once(child, 'exit');
  // When it refuses the archive its exit code and its words say more than our broken pipe.
  const sent = await pipeline(tar, child.stdin).catch((error: Error) => error);
  const [code] = await ended;
  if (code !== 0)
    throw new Error(`node ${node} did not take the image: ${complaint.trim()}`, { cause: sent });
  if (sent instanceof Error) throw sent;
}
