// What is remembered of a cluster between commands: its subnet from the beginning, `ready` when it has been brought up wholly.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from '../tools/lock.ts';
import { freeIndex } from './addresses.ts';
import type { Shape } from './options.ts';
import { clustersFolder, type Place } from './place.ts';
import { hostRoutes } from './system/network.ts';

export interface State {
  readonly index: number;
  readonly shape: Shape;
  readonly ready: boolean;
}

const FILE = 'cluster.json';

/** The cluster's record, or undefined when there is none (or none that can be read: then it is half a cluster). */
export function readState(place: Place): State | undefined {
  return readRecord(join(place.folder, FILE));
}

function readRecord(path: string): State | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as State;
  } catch {
    return undefined;
  }
}

export function writeState(place: Place, state: State): void {
  mkdirSync(place.folder, { recursive: true, mode: 0o711 });
  const path = join(place.folder, FILE);
  writeFileSync(`${path}.new`, JSON.stringify(state));
  renameSync(`${path}.new`, path);
}

/** Reserves a subnet that no other cluster and no route of this machine has, by writing the record. */
export function reserve(place: Place, shape: Shape): Promise<State> {
  return withLock(join(clustersFolder(), '.lock'), async () => {
    const others = existsSync(clustersFolder()) ? readdirSync(clustersFolder()) : [];
    const recorded = others.flatMap((id) => readRecord(join(clustersFolder(), id, FILE))?.index ?? []);
    const state = { index: freeIndex(recorded, await hostRoutes()), shape, ready: false };
    writeState(place, state);
    return state;
  });
}
