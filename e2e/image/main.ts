// `make image`: archives of all images. `node e2e/image/main.ts [FOLDER]`
import { createWriteStream, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { prune } from './blobs.ts';
import { archive } from './layout.ts';
import { natsImage } from './nats.ts';
import { postfleetImage } from './postfleet.ts';
import { postgresImage } from './postgres.ts';

const folder = resolve(process.argv[2] ?? join(import.meta.dirname, '..', '..', '.cache', 'images'));
mkdirSync(folder, { recursive: true });
for (const build of [postfleetImage, natsImage, postgresImage]) {
  const image = await build();
  const file = join(folder, `${image.name.replace(/^.*\//, '').replace(':', '-')}.tar`);
  await pipeline(archive(image), createWriteStream(file));
  console.log(`${image.name}  ${image.manifest.digest}  ${file}`);
}
await prune();
