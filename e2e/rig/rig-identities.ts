// Certificates of the roles of a rig, one folder each, from an authority in memory.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority } from '../../operator/authority/authority.ts';
import { ROLES, type Role, roleDnsName } from '../../process/identity/name.ts';

export interface RigIdentity {
  readonly role: Role;
  readonly pool: string | null;
  readonly pod: string;
  readonly uid: string;
}

/** Writes tls.crt, tls.key and ca.crt of `who` to a folder under `root` and gives its path. */
export async function writeIdentity(
  authority: Authority,
  root: string,
  namespace: string,
  who: RigIdentity,
): Promise<string> {
  const folder = join(root, who.uid);
  mkdirSync(folder, { recursive: true });
  const hosts = ['localhost', '127.0.0.1', '127.0.0.2', '127.0.0.3'];
  const { cert, key, ca } = await authority.issueFor({ namespace, ...who }, { hosts });
  writeFileSync(join(folder, 'tls.crt'), cert);
  writeFileSync(join(folder, 'tls.key'), key, { mode: 0o600 });
  writeFileSync(join(folder, 'ca.crt'), ca);
  return folder;
}

/** NATS users mapped from certificates; a rig grants each role everything (the chart's permissions are tested on the cluster). */
export const natsUsers = (): string =>
  `authorization { users: [ ${ROLES.map((role) => `{ user: "${roleDnsName(role)}" }`).join(', ')} ] }`;
