// The one image of all roles: Node, the production packages, the application.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  APPLICATION_FILES,
  APPLICATION_FOLDERS,
  belongs,
  type Lock,
  productionPackages,
} from './application.ts';
import { cachedLayer, type Entry, writeLayer } from './layer.ts';
import { assemble, type Image } from './layout.ts';
import { base, libraries, programs, tree } from './system.ts';

const ROOT = join(import.meta.dirname, '..', '..');
export const POSTFLEET_IMAGE = 'localhost/postfleet:dev';
const NODE = '/usr/local/bin/node';

const shortHash = (text: string | Buffer): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 16);

/** env(1) for scripts that begin with it; ip(8) and perl(1), with which egress brings addresses up and announces them. */
const PROGRAMS = ['/usr/bin/env', '/usr/bin/ip', '/usr/bin/perl'];

/** Node with its libraries, and the programs. */
async function nodeEntries(node: string): Promise<Entry[]> {
  const itself: Entry = { kind: 'file', path: NODE, source: node, executable: true };
  return [...base(), itself, ...libraries([node]), ...programs(PROGRAMS)];
}

/** The running Node is the npm package's: `node_modules/.bin/node`. */
function nodeProgram(): string {
  return realpathSync(join(ROOT, 'node_modules', '.bin', 'node'));
}

/** @throws Error when node_modules is not what the lock file says */
async function packageEntries(lock: Lock): Promise<Entry[]> {
  return productionPackages(lock, process.platform, process.arch).flatMap(({ path, version }) => {
    const manifest = join(ROOT, path, 'package.json');
    const found = existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : 'nothing';
    if (found !== version) throw new Error(`${path} should be ${version} and is ${found}: run npm ci`);
    // Packages within packages are entries of the lock of their own.
    return tree(join(ROOT, path), join('/app', path), (file) => !/(^|\/)node_modules\//.test(file));
  });
}

function applicationEntries(): Entry[] {
  const folders = APPLICATION_FOLDERS.filter((folder) => existsSync(join(ROOT, folder)));
  const files = APPLICATION_FILES.map(
    (name): Entry => ({ kind: 'file', path: `/app/${name}`, source: join(ROOT, name), executable: false }),
  );
  const main: Entry = {
    kind: 'file',
    path: '/app/cli/main.ts',
    source: join(ROOT, 'cli', 'main.ts'),
    executable: true,
  };
  return [
    ...folders.flatMap((folder) => tree(join(ROOT, folder), `/app/${folder}`, belongs)),
    ...files,
    main,
    { kind: 'link', path: '/usr/local/bin/postfleet', target: '/app/cli/main.ts' },
  ];
}

/** Builds the image; a second when only the application has changed. */
export async function postfleetImage(): Promise<Image> {
  const lock = readFileSync(join(ROOT, 'package-lock.json'));
  const node = nodeProgram();
  const nodeKey = shortHash(JSON.stringify([node, process.version, statSync(node).size, base(), PROGRAMS]));
  const layers = [
    await cachedLayer(`node-${nodeKey}`, () => nodeEntries(node)),
    await cachedLayer(`packages-${shortHash(lock)}`, () =>
      packageEntries(JSON.parse(lock.toString()) as Lock),
    ),
    await writeLayer(applicationEntries()),
  ];
  return assemble(POSTFLEET_IMAGE, layers, {
    entrypoint: [NODE, '/app/cli/main.ts'],
    user: '65532:65532',
    workingDir: '/app',
  });
}
