// What this pod knows of the fleet: pool, IPPool, assignment, leases. The last values are kept on the volume, so that a pod that
// starts while NATS is away works its spool with them.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../process/log.ts';
import {
  type AddressLease,
  type Assignment,
  type IPPoolSnapshot,
  type PoolSnapshot,
  SNAPSHOT_VERSION,
} from '../bus/snapshot.ts';

interface Known {
  pool: PoolSnapshot | null;
  ipPool: IPPoolSnapshot | null;
  assignment: Assignment | null;
  leases: Record<string, AddressLease>;
}

const FILE = 'fleet.json';
const SAVE_MS = 1000;

export class Fleet {
  readonly #folder: string;
  readonly #log: Log;
  readonly #known: Known;
  readonly #leases = new Map<string, AddressLease>();
  #saving: NodeJS.Timeout | null = null;

  /** Reads what the volume remembers; `folder` is made when it is missing. */
  constructor(folder: string, log: Log) {
    this.#folder = folder;
    this.#log = log;
    this.#known = remembered(folder, log);
    for (const lease of Object.values(this.#known.leases)) this.#leases.set(lease.address, lease);
  }

  get pool(): PoolSnapshot | null {
    return this.#known.pool;
  }

  get ipPool(): IPPoolSnapshot | null {
    return this.#known.ipPool;
  }

  get assignment(): Assignment | null {
    return this.#known.assignment;
  }

  /** Leases of the pool's addresses. */
  get leases(): ReadonlyMap<string, AddressLease> {
    return this.#leases;
  }

  setPool(value: PoolSnapshot): void {
    this.#known.pool = checked(value);
    this.#save();
  }

  setIpPool(value: IPPoolSnapshot): void {
    this.#known.ipPool = checked(value);
    this.#save();
  }

  /** Takes an assignment in; an older revision than the known one changes nothing. Returns whether it was taken. */
  setAssignment(value: Assignment): boolean {
    if (checked(value).revision <= (this.#known.assignment?.revision ?? 0)) return false;
    this.#known.assignment = value;
    this.#save();
    return true;
  }

  setLease(value: AddressLease): void {
    const before = this.#leases.get(checked(value).address);
    this.#leases.set(value.address, value);
    // Renewals come every few seconds and say nothing new to a restart.
    if (before?.epoch !== value.epoch || before.holder.host !== value.holder.host) this.#save();
  }

  dropLease(address: string): void {
    if (this.#leases.delete(address)) this.#save();
  }

  #save(): void {
    this.#saving ??= setTimeout(() => {
      this.#saving = null;
      this.saveNow();
    }, SAVE_MS).unref();
  }

  saveNow(): void {
    try {
      this.#known.leases = Object.fromEntries(this.#leases);
      const file = join(this.#folder, FILE);
      writeFileSync(`${file}.new`, JSON.stringify(this.#known));
      renameSync(`${file}.new`, file);
    } catch (error) {
      this.#log.warn({ err: error }, 'the last known fleet cannot be kept on the volume');
    }
  }
}

function checked<T extends { readonly version: number }>(value: T): T {
  if (value.version !== SNAPSHOT_VERSION)
    throw new RangeError(`snapshot version ${value.version} is unknown here`);
  return value;
}

function remembered(folder: string, log: Log): Known {
  const nothing: Known = { pool: null, ipPool: null, assignment: null, leases: {} };
  mkdirSync(folder, { recursive: true });
  try {
    return { ...nothing, ...(JSON.parse(readFileSync(join(folder, FILE), 'utf8')) as Partial<Known>) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn({ err: error }, 'the remembered fleet is unreadable');
    return nothing;
  }
}
