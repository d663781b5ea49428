// Secrets that are made once and never overwritten: two operators that start together must end with the same one.

import { ApiError } from '../runtime/errors.ts';
import { Terminal } from '../runtime/failures.ts';
import { type KubeObject, TYPES } from '../runtime/objects.ts';
import type { KubeApi } from '../runtime/transport.ts';

export interface Secret extends KubeObject {
  readonly type?: string;
  /** Values in base64. */
  readonly data?: Readonly<Record<string, string>>;
}
export type SecretApi = Pick<KubeApi, 'get' | 'create' | 'update'>;

export const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'postfleet-operator' } as const;
const LABELS = { 'app.kubernetes.io/name': 'postfleet', ...MANAGED_BY };

export const encode = (text: string): string => Buffer.from(text).toString('base64');
export const decode = (data: string): string => Buffer.from(data, 'base64').toString();

export function secret(
  namespace: string,
  name: string,
  values: Readonly<Record<string, string>>,
  type = 'Opaque',
): Secret {
  const data = Object.fromEntries(Object.entries(values).map(([key, text]) => [key, encode(text)]));
  return { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name, labels: LABELS }, type, data };
}

export async function findSecret(api: SecretApi, namespace: string, name: string): Promise<Secret | null> {
  return api.get<Secret>(TYPES.secrets, { namespace, name }).catch((error: unknown) => {
    if (ApiError.isNotFound(error)) return null;
    throw error;
  });
}

/** The secret as it stands; when there is none, the one `make` gives, unless somebody else was faster. */
export async function createOrRead(
  api: SecretApi,
  namespace: string,
  name: string,
  make: () => Promise<Secret> | Secret,
): Promise<Secret> {
  const found = await findSecret(api, namespace, name);
  if (found) return found;
  const made = await make();
  return api.create(TYPES.secrets, made).catch((error: unknown) => {
    if (ApiError.isAlreadyExists(error)) return api.get<Secret>(TYPES.secrets, { namespace, name });
    throw error;
  });
}

/** The decoded value. @throws Terminal when it is missing: it is not ours to invent a new one over what people rely on */
export function requiredValue({ metadata, data }: Secret, key: string): string {
  const value = data?.[key];
  if (!value) throw new Terminal(`Secret ${metadata.namespace}/${metadata.name} has no ${key}`);
  return decode(value);
}
