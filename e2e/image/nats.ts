import { program } from '../tools/cache.ts';
import { NATS } from '../tools/versions.ts';
import { cachedLayer } from './layer.ts';
import { assemble, type Image } from './layout.ts';
import { base } from './system.ts';

export const NATS_IMAGE = `docker.io/library/nats:${NATS}`;

/** nats-server where the official image has it. */
export async function natsImage(): Promise<Image> {
  const layer = await cachedLayer(`nats-${NATS}`, async () => [
    ...base(),
    { kind: 'file', path: '/nats-server', source: program('nats-server'), executable: true },
  ]);
  return assemble(NATS_IMAGE, [layer], { entrypoint: ['/nats-server'], user: '65532:65532' });
}
