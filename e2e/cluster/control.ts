// The control plane: in a namespace of its own, so that any node can be lost.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { binFolder, program } from '../tools/cache.ts';
import { API_SERVICE, addressesOf } from './addresses.ts';
import type { Volumes } from './options.ts';
import { type Authority, newAuthority, newTokenKey } from './pki.ts';
import type { Place } from './place.ts';
import { apiServerFlags, corefile, etcdFlags, managerFlags, schedulerFlags } from './render/control.ts';
import { kubeconfig } from './render/kubeconfig.ts';
import { startProgram } from './system/programs.ts';

const API_NAMES = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'localhost'];

/** Writes keys, certificates and kubeconfigs of the control plane. @returns what signs the nodes' */
export async function writeIdentities(place: Place, index: number): Promise<Authority> {
  const { control } = addressesOf(index);
  const authority = await newAuthority();
  const pki = join(place.folder, 'pki');
  mkdirSync(pki, { recursive: true, mode: 0o700 });
  const put = (name: string, text: string) => writeFileSync(join(pki, name), text, { mode: 0o600 });
  const admin = await authority.issue({ name: 'admin', organization: 'system:masters' });
  const apiserver = await authority.issue({
    name: 'kube-apiserver',
    dns: API_NAMES,
    ips: [API_SERVICE, '127.0.0.1', control],
  });
  for (const [name, pair] of Object.entries({ ca: authority, admin, apiserver })) {
    put(`${name}.crt`, pair.certificate);
    put(`${name}.key`, pair.key);
  }
  const tokens = await newTokenKey();
  put('sa.key', tokens.key);
  put('sa.pub', tokens.publicKey);
  const users = {
    admin,
    manager: await authority.issue({ name: 'system:kube-controller-manager' }),
    scheduler: await authority.issue({ name: 'system:kube-scheduler' }),
  };
  for (const [name, pair] of Object.entries(users)) {
    const text = kubeconfig(apiUrl(index), authority.certificate, pair);
    writeFileSync(join(place.folder, `${name}.kubeconfig`), text, { mode: 0o600 });
  }
  return authority;
}

/** Where the API server answers, from the host and from the nodes. */
export const apiUrl = (index: number): string => `https://${addressesOf(index).control}:6443`;

/** Starts etcd and the API server. */
export function startApi(place: Place, index: number): void {
  const { control } = addressesOf(index);
  start(place, 'etcd', etcdFlags(place.folder));
  start(place, 'kube-apiserver', apiServerFlags(place.folder, control));
}

/** Starts what needs an API server that answers. */
export function startControllers(place: Place, index: number, volumes: Volumes): void {
  start(place, 'kube-controller-manager', managerFlags(place.folder));
  start(place, 'kube-scheduler', schedulerFlags(place.folder));
  writeFileSync(join(place.folder, 'Corefile'), corefile(place.folder, addressesOf(index).control));
  start(place, 'coredns', ['-conf', join(place.folder, 'Corefile')]);
  const provisioner = join(import.meta.dirname, 'storage', 'provisioner.ts');
  startProgram(place.folder, {
    name: 'provisioner',
    namespace: place.control,
    cgroup: `${place.cgroup}/control`,
    command: [process.execPath, provisioner, place.kubeconfig, place.folder, volumes],
  });
}

function start(place: Place, name: string, flags: readonly string[]): void {
  startProgram(place.folder, {
    name,
    namespace: place.control,
    cgroup: `${place.cgroup}/control`,
    command: [program(name), ...flags],
    env: { PATH: `${binFolder()}:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: place.folder },
  });
}
