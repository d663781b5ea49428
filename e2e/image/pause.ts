import { program } from '../tools/cache.ts';
import { writeLayer } from './layer.ts';
import { assemble, type Image } from './layout.ts';

export const PAUSE_IMAGE = 'localhost/postfleet-pause:dev';

/** The program that holds a pod's namespaces open. */
export async function pauseImage(): Promise<Image> {
  const layer = await writeLayer([
    { kind: 'file', path: '/pause', source: program('pause'), executable: true },
  ]);
  return assemble(PAUSE_IMAGE, [layer], { entrypoint: ['/pause'], user: '65535:65535' });
}
