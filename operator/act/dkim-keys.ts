// The DKIM keys of a SendingDomain: given ones are read and checked, missing ones are made once and kept in a Secret. That
// Secret outlives the SendingDomain, because its record stays in DNS: made again, the domain signs with the same key.

import { dkimKeyFault, newDkimKey } from '../desired/dkim-key.ts';
import { dkimSecretName, LABELS, SELECTOR_ANNOTATION } from '../desired/names.ts';
import type { DkimKey } from '../nats/compile.ts';
import { orAbsent } from '../observe/pool-world.ts';
import type { Problem } from '../observe/problems.ts';
import type { SendingDomain } from '../observe/resources.ts';
import { ApiError } from '../runtime/errors.ts';
import { type AnyObject, TYPES } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';

export interface DomainKeys {
  readonly keys: readonly DkimKey[];
  readonly problem: Problem | null;
}

type Wanted = SendingDomain['spec']['dkim'][number];
const PRIVATE_KEY = 'private.pem';

/** Makes the keys that are to be generated and are not there, and reads all. @throws ApiError */
export async function domainKeys(deps: Deps, domain: SendingDomain): Promise<DomainKeys> {
  const found = await Promise.all(domain.spec.dkim.map((wanted) => oneKey(deps, domain, wanted)));
  const keys = found.flatMap((one) => ('pem' in one ? [one] : []));
  return { keys, problem: found.flatMap((one) => ('reason' in one ? [one] : []))[0] ?? null };
}

async function oneKey(deps: Deps, domain: SendingDomain, wanted: Wanted): Promise<DkimKey | Problem> {
  const { selector, algorithm, secretRef } = wanted;
  const { namespace, name: domainName } = domain.metadata;
  const name = secretRef?.name ?? dkimSecretName(domainName, selector);
  const entry = secretRef?.key ?? PRIVATE_KEY;
  const secret =
    (await readSecret(deps, namespace, name)) ??
    (secretRef ? null : await makeSecret(deps, domain, wanted, name));
  const pem = secret && readEntry(secret, entry);
  if (!pem)
    return {
      reason: 'KeyMissing',
      message: `selector ${selector}: Secret "${name}" with "${entry}" is not there`,
    };
  const fault = dkimKeyFault(pem, algorithm);
  return fault
    ? { reason: 'KeyInvalid', message: `selector ${selector}: Secret "${name}": ${fault}` }
    : { selector, pem };
}

const readSecret = (deps: Deps, namespace: string, name: string): Promise<AnyObject | null> =>
  orAbsent(deps.api.get(TYPES.secrets, { namespace, name }));

function readEntry(secret: AnyObject, entry: string): string | null {
  const encoded = (secret.data as Record<string, string> | undefined)?.[entry];
  return encoded ? Buffer.from(encoded, 'base64').toString('utf8') : null;
}

/** Another operator may have made it a moment ago: then that one counts. */
async function makeSecret(
  deps: Deps,
  domain: SendingDomain,
  wanted: Wanted,
  name: string,
): Promise<AnyObject | null> {
  const { namespace, name: domainName } = domain.metadata;
  const pem = await newDkimKey(wanted.algorithm);
  const secret: AnyObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace,
      labels: { [LABELS.name]: 'postfleet', [LABELS.domain]: domainName },
      annotations: { [SELECTOR_ANNOTATION]: wanted.selector },
    },
    type: 'Opaque',
    data: { [PRIVATE_KEY]: Buffer.from(pem).toString('base64') },
  };
  try {
    const made = await deps.api.create(TYPES.secrets, secret);
    const note = `made a ${wanted.algorithm} key for selector ${wanted.selector}`;
    deps.tell(domain as unknown as AnyObject, {
      type: 'Normal',
      reason: 'KeyGenerated',
      action: 'MakeKey',
      note,
    });
    return made;
  } catch (error) {
    if (ApiError.isAlreadyExists(error)) return readSecret(deps, namespace, name);
    throw error;
  }
}
