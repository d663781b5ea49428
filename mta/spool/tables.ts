// The LMDB environment and its tables. `overlappingSync` is off: LMDB then writes pages, syncs, writes and syncs the meta page,
// and only then is a transaction committed; that is what `commit` promises. With it on (lmdb-js's preset) a commit would
// resolve before the sync.
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { type Database, open, type RootDatabase } from 'lmdb';
import { SpoolFormatError } from './errors.ts';
import { FORMAT } from './record.ts';

export const TABLES = ['parcels', 'due', 'accepted', 'finished', 'meta', 'bodies'] as const;
export type Table = (typeof TABLES)[number];

/** Messages are read once and in no order: reading ahead would only fill memory. lmdb-js documents it; its types leave it out. */
const RANDOM_ACCESS = { noReadAhead: true };

export interface Tables {
  readonly root: RootDatabase;
  readonly text: Readonly<Record<Exclude<Table, 'bodies'>, Database<string, string>>>;
  readonly bodies: Database<Buffer, string>;
}

/**
 * Opens (and makes) the tables in `dir`.
 * @param mapBytes address space to map; the file cannot grow beyond it.
 * @throws SpoolFormatError for a format this release does not read; otherwise what LMDB or the file system say.
 */
export function openTables(dir: string, mapBytes: number, readOnly: boolean): Tables {
  if (!readOnly) mkdirSync(dir, { recursive: true });
  const root = open({
    path: dir,
    noSubdir: false,
    mapSize: mapBytes,
    maxDbs: TABLES.length,
    overlappingSync: false,
    readOnly,
    ...RANDOM_ACCESS,
  });
  try {
    const meta = root.openDB<string, string>({ name: 'meta', encoding: 'string' });
    checkFormat(dir, meta, readOnly);
    const table = (name: Table) => root.openDB<string, string>({ name, encoding: 'string' });
    const text = {
      meta,
      parcels: table('parcels'),
      due: table('due'),
      accepted: table('accepted'),
      finished: table('finished'),
    };
    return { root, text, bodies: root.openDB<Buffer, string>({ name: 'bodies', encoding: 'binary' }) };
  } catch (error) {
    void root.close();
    throw error;
  }
}

function checkFormat(dir: string, meta: Database<string, string>, readOnly: boolean): void {
  const found = meta.get('format');
  if (found === undefined && !readOnly) meta.putSync('format', FORMAT);
  else if (found !== FORMAT) throw new SpoolFormatError(dir, found ?? 'unknown', FORMAT);
  if (!readOnly && meta.get('id') === undefined) giveIdentity(meta);
}

/** A spool of an earlier release gets its identity when it is opened; on a full volume it has to do without for now. */
function giveIdentity(meta: Database<string, string>): void {
  try {
    meta.putSync('id', randomUUID());
  } catch {
    // What is wrong with the volume is told by the first write that matters.
  }
}

/** Bytes in the file that hold nothing and will be used again before the file grows. */
export function reusableBytes({ root, text, bodies }: Tables): number {
  interface PageCounts {
    readonly treeBranchPageCount: number;
    readonly treeLeafPageCount: number;
    readonly overflowPages: number;
  }
  const pagesOf = (stat: PageCounts) =>
    stat.treeBranchPageCount + stat.treeLeafPageCount + stat.overflowPages;
  const whole = root.getStats() as unknown as PageCounts & {
    readonly free: PageCounts;
    readonly pageSize: number;
    readonly lastPageNumber: number;
  };
  const used = [...Object.values(text), bodies].reduce(
    (sum, table) => sum + pagesOf(table.getStats() as unknown as PageCounts),
    pagesOf(whole) + pagesOf(whole.free) + 2,
  );
  return Math.max(0, whole.lastPageNumber + 1 - used) * whole.pageSize;
}
