// What DNS says of an IPPool's addresses. A reconcile of its own: what DNS takes its time for holds nothing else up.
import { isListed, namesOf } from '../desired/address-records.ts';
import { parseIPPool } from '../observe/fleet.ts';
import type { IPPool } from '../observe/resources.ts';
import type { Result } from '../runtime/controller.ts';
import type { Key } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';
import type { AddressFindings } from './findings.ts';

/** Looked at again after so long: soon while something is not as it should be. */
const RIGHT_SECONDS = 900;
const WRONG_SECONDS = 120;
/** Blocklists limit how often they are asked. */
const LISTS_MS = 30 * 60_000;

export async function reconcileIPPoolDns(deps: Deps, key: Key): Promise<Result> {
  const object = deps.caches.ipPools.get(key);
  const parsed = object && parseIPPool(object);
  if (parsed?.kind !== 'Valid') {
    deps.findings.addresses.delete(key);
    return undefined;
  }
  const before = deps.findings.addresses.get(key) ?? null;
  const found = await look(deps, parsed.resource, before);
  deps.findings.addresses.set(key, found);
  if (JSON.stringify(before) !== JSON.stringify(found)) deps.wakeReport('IPPool', key);
  const right = found.records.every((one) => namesOf(one) === 'Confirmed');
  return { requeueAfterSeconds: right ? RIGHT_SECONDS : WRONG_SECONDS };
}

async function look(
  { addressDns, now }: Deps,
  { spec }: IPPool,
  before: AddressFindings | null,
): Promise<AddressFindings> {
  const records = await addressDns.records(spec.addresses.map(({ address, ehlo }) => ({ address, ehlo })));
  const addresses = spec.addresses.map(({ address }) => address);
  const question = JSON.stringify([addresses, spec.blocklists]);
  const fresh = before?.listed.question === question && now() - before.listed.at < LISTS_MS;
  if (fresh) return { records, listed: before.listed };
  const answers = await addressDns.listings(addresses, spec.blocklists ?? []);
  const known = answers.map(({ address, zone, answers: said }) => ({
    address,
    zone,
    listed: isListed(said),
  }));
  return { records, listed: { question, at: now(), answers: known } };
}
