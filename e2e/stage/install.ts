// The chart on the cluster, as the README says, with the small changes that a machine of two cores needs.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Cluster } from '../cluster/index.ts';
import { withClock } from '../image/clock.ts';
import type { Image } from '../image/layout.ts';
import { NATS_IMAGE, natsImage } from '../image/nats.ts';
import { postfleetImage } from '../image/postfleet.ts';
import { postgresImage } from '../image/postgres.ts';

export const NAMESPACE = 'postfleet';
const ROOT = join(import.meta.dirname, '../..');

export interface InstallOptions {
  readonly image: string;
  readonly profile: 'ha' | 'small';
  readonly dnsServer: string;
}

/**
 * Builds the images and gives them to the nodes; what a node has already is not sent again. The tag of ours is its content, so
 * that changed sources become a rollout. Gives our image's name.
 */
export async function giveImages(cluster: Cluster, clocks: boolean): Promise<string> {
  const asUsual = (image: Image): Promise<Image> | Image => (clocks ? withClock(image) : image);
  const built = await asUsual(await postfleetImage());
  const ours = {
    ...built,
    name: `localhost/postfleet:${built.manifest.digest.replace('sha256:', '').slice(0, 12)}`,
  };
  for (const image of [ours, await natsImage(), await asUsual(await postgresImage())])
    await cluster.importImage(image);
  return ours.name;
}

/** `helm upgrade --install`, then waits for the Deployments and for NATS. */
export async function installChart(cluster: Cluster, options: InstallOptions): Promise<void> {
  const [repository, tag] = splitImage(options.image);
  const values = [
    `image.repository=${repository}`,
    `image.tag=${tag}`,
    `nats.image=${NATS_IMAGE}`,
    `nats.profile=${options.profile}`,
    `postgres.image=${(await postgresImage()).name}`,
    `dns.servers={${options.dnsServer}}`,
    // The miniature internet's MX hosts; egress lets nothing out to documentation ranges otherwise.
    'egress.allowedDestinations={203.0.113.0/24}',
    'ingress.replicas=1',
    'ingress.hostname=mail.demo.example',
    'ingress.service.type=NodePort',
  ];
  const release = [
    'upgrade',
    '--install',
    'postfleet',
    join(ROOT, 'charts/postfleet'),
    '-n',
    NAMESPACE,
    '--create-namespace',
  ];
  await cluster.helm([...release, ...values.flatMap((value) => ['--set', value])]);
  await cluster.kubectl([
    'label',
    'namespace',
    NAMESPACE,
    'pod-security.kubernetes.io/enforce=restricted',
    '--overwrite',
  ]);
  const workloads = [
    'deploy/postfleet-operator',
    'sts/postfleet-nats',
    'sts/postfleet-postgres',
    'deploy/postfleet-gateway',
    'deploy/postfleet-ingress',
  ];
  for (const workload of workloads)
    await cluster.kubectl(['-n', NAMESPACE, 'rollout', 'status', workload, '--timeout=180s']);
}

/**
 * Applies crds/samples and waits until every resource is Ready.
 * @param specs by kind, what is said differently
 */
export async function applySamples(
  cluster: Cluster,
  specs: Readonly<Record<string, object>> = {},
): Promise<void> {
  const folder = join(ROOT, 'crds/samples');
  const samples = readdirSync(folder).map((file) => parse(readFileSync(join(folder, file), 'utf8')));
  const items = samples.map((one) => ({ ...one, spec: { ...one.spec, ...specs[one.kind] } }));
  const list = { apiVersion: 'v1', kind: 'List', items };
  await cluster.kubectl(['-n', NAMESPACE, 'apply', '-f', '-'], JSON.stringify(list));
  const kinds = ['ippool/demo', 'queuepolicy/demo', 'sendingpool/demo'];
  for (const one of kinds)
    await cluster.kubectl(['-n', NAMESPACE, 'wait', one, '--for=condition=Ready', '--timeout=180s']);
}

/** Makes the account if it is not there, and a new key; the token is in the answer and nowhere else. */
export async function makeKey(
  cluster: Cluster,
  account: string,
): Promise<{ readonly user: string; readonly password: string }> {
  const postfleet = (...args: string[]) =>
    cluster.kubectl([
      '-n',
      NAMESPACE,
      'exec',
      'deploy/postfleet-gateway',
      '--',
      'postfleet',
      ...args,
      '--output',
      'json',
    ]);
  const accounts = JSON.parse(await postfleet('account', 'list')) as { readonly name: string }[];
  if (!accounts.some(({ name }) => name === account)) await postfleet('account', 'create', account);
  const { id, token } = JSON.parse(await postfleet('key', 'create', account)) as {
    readonly id: string;
    readonly token: string;
  };
  return { user: id, password: token };
}

export interface IngressPorts {
  readonly submission: number;
  readonly https: number;
}

/** The ports on every node at which ingress is reached from outside the cluster. */
export async function ingressPorts(cluster: Cluster): Promise<IngressPorts> {
  const service = await cluster.kubectl([
    '-n',
    NAMESPACE,
    'get',
    'service',
    'postfleet-ingress',
    '-o',
    'json',
  ]);
  const { ports } = JSON.parse(service).spec as {
    readonly ports: readonly { readonly name: string; readonly nodePort: number }[];
  };
  const port = (name: string) => ports.find((one) => one.name === name)?.nodePort ?? 0;
  return { submission: port('submission'), https: port('https') };
}

function splitImage(image: string): [string, string] {
  const colon = image.lastIndexOf(':');
  return [image.slice(0, colon), image.slice(colon + 1)];
}
