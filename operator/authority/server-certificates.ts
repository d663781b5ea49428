// Certificates of servers that cannot ask for one themselves: the bundled NATS and PostgreSQL, and ingress towards clients.
import { X509Certificate } from 'node:crypto';
import type { Role } from '../../process/identity/name.ts';
import { ApiError } from '../runtime/errors.ts';
import { TYPES } from '../runtime/objects.ts';
import type { Authority } from './authority.ts';
import { decode, findSecret, MANAGED_BY, type Secret, type SecretApi, secret } from './secrets.ts';

export const KUBE_TLS = 'kubernetes.io/tls';
const DAY = 86_400;
/** Servers read their certificate at start or reload: a year, renewed when a third of it is left. */
const LIFETIME_SECONDS = 365 * DAY;
const RENEW_MS = (LIFETIME_SECONDS / 3) * 1000;

export interface ServerCertificate {
  /** Of the Secret and, without `-tls`, of the Service. */
  readonly service: string;
  readonly role: Role;
  /** Further names by which clients know it. */
  readonly hosts?: readonly string[];
  /** It also opens connections: NATS servers to one another. */
  readonly alsoClient?: boolean;
}

export const SERVERS: readonly ServerCertificate[] = [
  { service: 'postfleet-nats', role: 'nats', alsoClient: true },
  { service: 'postfleet-postgres', role: 'postgres' },
  { service: 'postfleet-ingress', role: 'ingress' },
];

/** All names of a Service and of the pods behind it when it is headless. */
export function serviceHosts(service: string, namespace: string): readonly string[] {
  const names = [
    service,
    `${service}.${namespace}`,
    `${service}.${namespace}.svc`,
    `${service}.${namespace}.svc.cluster.local`,
  ];
  return [...names, ...names.map((name) => `*.${name}`), 'localhost', '127.0.0.1'];
}

/** Makes or renews the Secret `<service>-tls`. A secret that people put there themselves is left alone. */
export async function keepServerCertificate(
  api: SecretApi,
  authority: Authority,
  namespace: string,
  server: ServerCertificate,
  now: Date,
): Promise<'kept' | 'written' | 'foreign'> {
  const name = `${server.service}-tls`;
  const hosts = [...serviceHosts(server.service, namespace), ...(server.hosts ?? [])];
  const found = await findSecret(api, namespace, name);
  if (found && !isOurs(found)) return 'foreign';
  if (found && !whyRenew(found, authority.ca, hosts, now)) return 'kept';
  const fresh = await make(authority, namespace, name, server, hosts, now);
  if (found) {
    await api.update(TYPES.secrets, { ...found, data: { ...found.data, ...fresh.data } });
  } else {
    await api.create(TYPES.secrets, fresh).catch((error: unknown) => {
      if (!ApiError.isAlreadyExists(error)) throw error; // the other operator's is as good
    });
  }
  return 'written';
}

const isOurs = ({ metadata }: Secret): boolean =>
  Object.entries(MANAGED_BY).every(([label, value]) => metadata.labels?.[label] === value);

/** Why a stored certificate has to be replaced; null: it is good. */
export function whyRenew({ data }: Secret, ca: string, hosts: readonly string[], now: Date): string | null {
  const { 'tls.crt': cert, 'tls.key': key, 'ca.crt': authority } = data ?? {};
  if (!cert || !key || !authority) return 'incomplete';
  if (decode(authority) !== ca) return 'made by another authority';
  const certificate = readCertificate(decode(cert));
  if (!certificate) return 'unreadable';
  if (certificate.validToDate.getTime() - now.getTime() < RENEW_MS) return 'expires';
  const names = new Set((certificate.subjectAltName ?? '').split(', '));
  const missing = hosts.find((host) => !names.has(`DNS:${host}`) && !names.has(`IP Address:${host}`));
  return missing ? `lacks ${missing}` : null;
}

function readCertificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}

async function make(
  authority: Authority,
  namespace: string,
  name: string,
  { role, service, alsoClient = false }: ServerCertificate,
  hosts: readonly string[],
  now: Date,
): Promise<Secret> {
  const identity = { namespace, role, pool: null, pod: service, uid: '-' };
  const options = { hosts, lifetimeSeconds: LIFETIME_SECONDS, now, serverOnly: !alsoClient };
  const { cert, key, ca } = await authority.issueFor(identity, options);
  return secret(namespace, name, { 'tls.crt': cert, 'tls.key': key, 'ca.crt': ca }, KUBE_TLS);
}
