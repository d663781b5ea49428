// An IPPool's side in NATS: its snapshot, and who holds its addresses.
import { ipPoolSnapshotKey, LEASE_BUCKET, leaseKey } from '../../mta/bus/names.ts';
import type { AddressLease } from '../../mta/bus/snapshot.ts';
import { place } from '../decide/place.ts';
import { compileIPPool } from '../nats/compile.ts';
import { identified, parseIPPool, readFleet } from '../observe/fleet.ts';
import { readLedgers } from '../observe/ledgers.ts';
import { placeWorld } from '../observe/placement.ts';
import { ipPoolProblem } from '../observe/problems.ts';
import type { IPPool } from '../observe/resources.ts';
import { newSuspensions } from '../report/warmup-status.ts';
import type { Result } from '../runtime/controller.ts';
import { type AnyObject, type Key, refOf } from '../runtime/objects.ts';
import type { BusState, Deps } from './deps.ts';
import type { IPPoolFindings } from './findings.ts';
import { ensureFleet } from './pool-fleet.ts';

/** How often warm-up ledgers are read for the status. */
const LEDGERS_MS = 30_000;

type Up = Extract<BusState, { kind: 'Up' }>;

export async function reconcileIPPoolFleet(deps: Deps, key: Key): Promise<Result> {
  const object = deps.caches.ipPools.get(key);
  const bus = deps.bus();
  if (!object) {
    deps.findings.ipPools.delete(key);
    if (bus.kind === 'Down') return { requeueAfterSeconds: 10 };
    const { namespace = '', name } = refOf(key);
    return (await tryNats(() => bus.store.remove(ipPoolSnapshotKey(namespace, name))))
      ? { requeueAfterSeconds: 10 }
      : undefined;
  }
  const before = deps.findings.ipPools.get(key);
  const findings = bus.kind === 'Up' ? await look(deps, bus, object, before) : without(before, bus.obstacle);
  tellMoves(deps, object, before, findings);
  deps.findings.ipPools.set(key, findings);
  deps.wakeReport('IPPool', key);
  return { requeueAfterSeconds: 5 };
}

const without = (before: IPPoolFindings | undefined, message: string): IPPoolFindings => ({
  problem: null,
  leases: [],
  placement: null,
  ledgers: null,
  ...before,
  nats: { kind: 'Unavailable', message },
});

/** @returns what went wrong, or null. */
export async function tryNats(work: () => Promise<unknown>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

async function look(
  deps: Deps,
  bus: Up,
  object: AnyObject,
  before: IPPoolFindings | undefined,
): Promise<IPPoolFindings> {
  const parsed = parseIPPool(object);
  const fleet = readFleet(deps.caches);
  const problem = parsed.kind === 'Valid' ? ipPoolProblem(parsed.resource, fleet) : parsed.problem;
  let { leases, placement, ledgers } = before ?? { leases: [], placement: null, ledgers: null };
  if (parsed.kind === 'Invalid') return { problem, leases, placement, ledgers, nats: { kind: 'Written' } };
  const pool = parsed.resource;
  const failure = await tryNats(async () => {
    await ensureFleet(deps, bus);
    leases = await readLeases(bus, pool, before?.leases ?? []);
    const world = placeWorld(pool, deps.caches, leases, deps.now());
    placement = world && place(world);
    const compiled = compileIPPool(pool, problem, placement, fleet);
    const { namespace, name } = pool.metadata;
    if (compiled.kind === 'Good') await bus.store.put(ipPoolSnapshotKey(namespace, name), compiled.snapshot);
    ledgers = await lookAtLedgers(deps, bus, pool, ledgers);
    for (const note of newSuspensions(before?.ledgers ?? null, ledgers)) tellSuspension(deps, object, note);
  });
  const nats = failure ? ({ kind: 'Failed', message: failure } as const) : ({ kind: 'Written' } as const);
  return { problem, leases, placement, ledgers, nats };
}

/** Not at every look: they change with every mail, and there is one for each provider. */
async function lookAtLedgers(
  deps: Deps,
  { bus }: Up,
  pool: IPPool,
  before: IPPoolFindings['ledgers'],
): Promise<IPPoolFindings['ledgers']> {
  if (!pool.spec.warmup) return null;
  if (before && deps.now() - before.at < LEDGERS_MS) return before;
  const found = await readLedgers(
    bus,
    pool.spec.addresses.map(({ address }) => address),
  );
  const records = found.map(({ record }) => record);
  return { records, at: deps.now() };
}

const tellSuspension = (deps: Deps, object: AnyObject, note: string): void =>
  deps.tell(identified(object, 'IPPool'), {
    ...{ type: 'Warning', reason: 'WarmupSuspended', action: 'Judge', note },
  });

/** Of the pool's addresses, and of those that were taken out of it and are not free yet. */
async function readLeases(
  { bus }: Up,
  { metadata, spec }: IPPool,
  before: readonly AddressLease[],
): Promise<AddressLease[]> {
  const kv = await bus.kv(LEASE_BUCKET);
  const mine = ({ ipPool }: AddressLease) => ipPool === `${metadata.namespace}/${metadata.name}`;
  const leaving = before.filter((lease) => mine(lease) && !lease.released).map(({ address }) => address);
  const all = new Set([...spec.addresses.map(({ address }) => address), ...leaving]);
  const entries = await Promise.all([...all].map((address) => kv.get(leaseKey(address))));
  return entries.flatMap((entry) => (entry?.operation === 'PUT' ? [entry.json<AddressLease>()] : []));
}

function tellMoves(
  deps: Deps,
  object: AnyObject,
  before: IPPoolFindings | undefined,
  now: IPPoolFindings,
): void {
  for (const { address, holder, epoch, released, unfit } of now.leases) {
    const old = before?.leases.find((lease) => lease.address === address);
    tellFitness(deps, object, address, old?.unfit, unfit);
    if (released || !before || (old?.epoch === epoch && old.holder.uid === holder.uid)) continue;
    const note = `${address} is held by ${holder.pod} on ${holder.node}`;
    deps.tell(identified(object, 'IPPool'), {
      type: 'Normal',
      reason: 'AddressMoved',
      action: 'Place',
      note,
    });
  }
}

function tellFitness(deps: Deps, object: AnyObject, address: string, before?: string, now?: string): void {
  if ((before === undefined) === (now === undefined)) return;
  deps.tell(identified(object, 'IPPool'), {
    ...(now === undefined
      ? { type: 'Normal', reason: 'AddressFit', note: `${address} is used again` }
      : { type: 'Warning', reason: 'AddressUnfit', note: `${address} is taken out: ${now}` }),
    action: 'Judge',
  });
}
