// Who a pod is, as its certificate says it: the URI
//   spiffe://postfleet/ns/<namespace>/role/<role>/pool/<pool or ->/pod/<pod>/uid/<uid>
// and the DNS name <role>.postfleet.internal, by which NATS maps a certificate to the role's user and by which
// clients verify inner servers.

export const ROLES = ['ingress', 'delivery', 'egress', 'gateway', 'operator', 'nats', 'postgres'] as const;
export type Role = (typeof ROLES)[number];

export interface Identity {
  readonly namespace: string;
  readonly role: Role;
  /** SendingPool (delivery) or IPPool (egress) name, without its namespace; null for roles that have none. */
  readonly pool: string | null;
  readonly pod: string;
  readonly uid: string;
}

export const roleDnsName = (role: Role): string => `${role}.postfleet.internal`;

export function identityUri(identity: Identity): string {
  const { namespace, role, pool, pod, uid } = identity;
  return `spiffe://postfleet/ns/${namespace}/role/${role}/pool/${pool ?? '-'}/pod/${pod}/uid/${uid}`;
}

const FORM = /^spiffe:\/\/postfleet\/ns\/([^/]+)\/role\/([^/]+)\/pool\/([^/]+)\/pod\/([^/]+)\/uid\/([^/]+)$/;

/** Reads an identity URI; null when it is none. */
export function parseIdentityUri(uri: string): Identity | null {
  const [, namespace, role, pool, pod, uid] = FORM.exec(uri) ?? [];
  if (!namespace || !role || !pool || !pod || !uid || !ROLES.includes(role as Role)) return null;
  return { namespace, role: role as Role, pool: pool === '-' ? null : pool, pod, uid };
}
