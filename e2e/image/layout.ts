// An image: layers and a configuration under a name. OCI image specification, with what `docker save` adds.
import { arch } from 'node:process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { type Blob, putDocument, readBlob } from './blobs.ts';

export interface Image {
  /** Full name: `localhost/postfleet:dev`. */
  readonly name: string;
  readonly manifest: Blob;
  readonly config: Blob;
  readonly layers: readonly Blob[];
  readonly runs: Runs;
}

export interface Runs {
  readonly entrypoint: readonly string[];
  readonly command?: readonly string[];
  readonly user: string;
  readonly path?: string;
  readonly workingDir?: string;
  readonly env?: readonly string[];
}

const OCI = 'application/vnd.oci.image';
const descriptor = (kind: string, blob: Blob) => ({
  mediaType: `${OCI}.${kind}`,
  digest: blob.digest,
  size: blob.sizeBytes,
});
const LAYER = 'layer.v1.tar';

/** Puts an image together. Its digest depends on content alone. */
export function assemble(name: string, layers: readonly Blob[], runs: Runs): Image {
  const path = runs.path ?? '/usr/local/bin:/usr/bin:/bin';
  const config = putDocument({
    architecture: arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: {
      Entrypoint: runs.entrypoint,
      ...(runs.command ? { Cmd: runs.command } : {}),
      Env: [`PATH=${path}`, ...(runs.env ?? [])],
      User: runs.user,
      WorkingDir: runs.workingDir ?? '/',
    },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
  });
  const manifest = putDocument({
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: descriptor('config.v1+json', config),
    layers: layers.map((layer) => descriptor(LAYER, layer)),
  });
  return { name, manifest, config, layers, runs };
}

function index(image: Image): object {
  const annotations = {
    'io.containerd.image.name': image.name,
    'org.opencontainers.image.ref.name': image.name.slice(image.name.lastIndexOf(':') + 1),
  };
  return {
    schemaVersion: 2,
    mediaType: `${OCI}.index.v1+json`,
    manifests: [{ ...descriptor('manifest.v1+json', image.manifest), annotations }],
  };
}

const inArchive = (blob: Blob): string => `blobs/sha256/${blob.digest.replace('sha256:', '')}`;

/**
 * The image as a tar for `docker load`, `podman load` and `ctr images import`.
 * @param known digests that the receiver has: their content is left out
 */
export function archive(image: Image, known: ReadonlySet<string> = new Set()): Readable {
  const tar = pack();
  const documents: readonly (readonly [string, unknown])[] = [
    ['oci-layout', { imageLayoutVersion: '1.0.0' }],
    ['index.json', index(image)],
    [
      'manifest.json',
      [{ Config: inArchive(image.config), RepoTags: [image.name], Layers: image.layers.map(inArchive) }],
    ],
  ];
  const fill = async () => {
    for (const [name, document] of documents) {
      tar.entry({ name, mtime: new Date(0) }, JSON.stringify(document));
    }
    const blobs = new Map([image.manifest, image.config, ...image.layers].map((blob) => [blob.digest, blob]));
    for (const blob of blobs.values()) {
      if (known.has(blob.digest)) continue;
      const sink = tar.entry({ name: inArchive(blob), size: blob.sizeBytes, mtime: new Date(0) });
      await pipeline(readBlob(blob), sink);
    }
    tar.finalize();
  };
  fill().catch((error) => tar.destroy(error));
  return Readable.from(tar as unknown as AsyncIterable<Buffer>, { objectMode: false });
}
