// Who this cluster is on this machine: every name that it takes, derived from the checkout, so that two checkouts (or two
// clusters of one) never touch each other's things.
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../tools/cache.ts';

export interface Place {
  /** Six hex digits: short, because a link's name has at most 15 characters. */
  readonly id: string;
  /** State of the cluster; removed by `down`. */
  readonly folder: string;
  /** Held while the cluster is brought up or down. */
  readonly lock: string;
  readonly kubeconfig: string;
  readonly control: string;
  readonly internet: string;
  /** The host's end of its link to the cluster. */
  readonly hostLink: string;
  /** Below every cgroup hierarchy, without a leading slash. */
  readonly cgroup: string;
  /** Prefix of all its network namespaces. */
  readonly prefix: string;
}

const CHECKOUT = join(import.meta.dirname, '..', '..');

/** Six hex digits for a checkout's path and a cluster's name. Pure. */
export function placeId(checkout: string, name: string): string {
  return createHash('sha256').update(`${checkout}\0${name}`).digest('hex').slice(0, 6);
}

/** The place of this checkout's cluster of that name; the one without a name is everybody's default. */
export function placeOf(name = '', checkout = realpathSync(CHECKOUT), clusters = clustersFolder()): Place {
  const id = placeId(checkout, name);
  const prefix = `pf-${id}-`;
  const folder = join(clusters, id);
  return {
    id,
    folder,
    lock: join(clusters, `${id}.lock`),
    kubeconfig: join(folder, 'admin.kubeconfig'),
    control: `${prefix}control`,
    internet: `${prefix}internet`,
    hostLink: `pf${id}`,
    cgroup: `pf-${id}`,
    prefix,
  };
}

/** Where all checkouts keep the state of their clusters. */
export const clustersFolder = (): string => join(cacheFolder(), 'clusters');

/** Folder of a node's state. */
export const nodeFolder = (place: Place, node: number): string => join(place.folder, `node${node}`);

/** Network namespace of a node. */
export const nodeNamespace = (place: Place, node: number): string => `${place.prefix}node${node}`;
