// A SendingDomain: its keys, its snapshot in NATS, its DNS records and its status. Keys and records need no NATS; the
// snapshot is tried, and when NATS is away the status says so.
import { domainSnapshotKey } from '../../mta/bus/names.ts';
import type { DomainSnapshot } from '../../mta/bus/snapshot.ts';
import type { SendingDomainStatus } from '../../resources/kinds.ts';
import { type RecordStatus, wantedRecords } from '../desired/dns-records.ts';
import { compileDomain } from '../nats/compile.ts';
import { reseal } from '../nats/reseal.ts';
import { identified, metaOf, parseSendingDomain, readFleet } from '../observe/fleet.ts';
import { domainProblem, type Fleet, type Problem } from '../observe/problems.ts';
import type { SendingDomain } from '../observe/resources.ts';
import { domainStatus } from '../report/domain-status.ts';
import type { Result } from '../runtime/controller.ts';
import type { Key } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';
import { type DomainKeys, domainKeys } from './dkim-keys.ts';
import type { NatsFinding } from './findings.ts';
import { tryNats } from './ippool-fleet.ts';
import { ensureFleet } from './pool-fleet.ts';
import { writeStatus } from './report.ts';

/** Records are looked for again after so long: soon while some are missing. */
const SEEN_SECONDS = 600;
const UNSEEN_SECONDS = 30;

export async function reconcileDomain(deps: Deps, key: Key): Promise<Result> {
  const cached = deps.caches.sendingDomains.get(key);
  if (!cached || cached.metadata.deletionTimestamp) return undefined;
  const object = identified(cached, 'SendingDomain');
  const parsed = parseSendingDomain(object);
  const fleet = readFleet(deps.caches);
  const problem = parsed.kind === 'Valid' ? domainProblem(parsed.resource, fleet) : parsed.problem;
  const domain = parsed.kind === 'Valid' ? parsed.resource : null;
  const { keys, problem: keyProblem }: DomainKeys = domain
    ? await domainKeys(deps, domain)
    : { keys: [], problem: null };
  const nats = domain
    ? await writeSnapshot(deps, domain, { keys, problem: problem ?? keyProblem })
    : writtenBefore;
  const records = domain ? await lookUp(deps, domain, keys, fleet) : [];
  const before = (object.status ?? {}) as Partial<SendingDomainStatus>;
  const report = {
    metadata: metaOf(object),
    before,
    problem,
    keyProblem,
    records,
    findings: { nats },
    now: deps.now(),
  };
  await writeStatus(deps, 'SendingDomain', object, domainStatus(report));
  if (nats.kind !== 'Written') return { requeueAfterSeconds: 5 };
  return { requeueAfterSeconds: records.every(({ seen }) => seen === 'Yes') ? SEEN_SECONDS : UNSEEN_SECONDS };
}

/** What is invalid is not written, so nothing can have failed. */
const writtenBefore: NatsFinding = { kind: 'Written' };

async function writeSnapshot(
  deps: Deps,
  domain: SendingDomain,
  { keys, problem }: { keys: DomainKeys['keys']; problem: Problem | null },
): Promise<NatsFinding> {
  const bus = deps.bus();
  if (bus.kind === 'Down') return { kind: 'Unavailable', message: bus.obstacle };
  const failure = await tryNats(async () => {
    await ensureFleet(deps, bus);
    const key = domainSnapshotKey(domain.spec.domain);
    const { value: previous } = await bus.store.read<DomainSnapshot>(key);
    const compiled = compileDomain(domain, keys, problem, previous, reseal(deps.sealingKey));
    if (compiled.kind === 'Good') await bus.store.put(key, compiled.snapshot);
  });
  return failure ? { kind: 'Failed', message: failure } : { kind: 'Written' };
}

function lookUp(
  deps: Deps,
  domain: SendingDomain,
  keys: DomainKeys['keys'],
  fleet: Fleet,
): Promise<RecordStatus[]> {
  const pool = fleet.pools.find(({ metadata }) => metadata.name === domain.spec.poolRef.name);
  const ipPool = fleet.ipPools.find(({ metadata }) => metadata.name === pool?.spec.ipPoolRef.name);
  const addresses = domain.spec.addresses ?? ipPool?.spec.addresses.map(({ address }) => address) ?? [];
  return deps.dns.look(wantedRecords(domain, keys, addresses));
}
