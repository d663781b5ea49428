// Raises a stage step by step; each step finds what an earlier run left and does only the rest.
import { type Cluster, openCluster, type UpOptions } from '../cluster/index.ts';
import type { InternetClient } from '../internet/client.ts';
import type { Keys } from '../internet/verify.ts';
import { addressesOf, demoWorld, type World } from '../internet/world.ts';
import { until } from '../rig/process.ts';
import type { HttpTarget } from '../sender/http.ts';
import type { SmtpTarget } from '../sender/smtp.ts';
import { applySamples, giveImages, ingressPorts, installChart, makeKey, NAMESPACE } from './install.ts';
import { openInternet } from './internet.ts';
import { type Homes, homesOf, onFirstNode } from './nodes.ts';

export interface Stage {
  readonly cluster: Cluster;
  readonly internet: InternetClient;
  readonly world: World;
  readonly smtp: SmtpTarget;
  readonly http: HttpTarget;
  /** The DKIM keys as they are published: DNS name → TXT value. */
  readonly keys: Keys;
}

export interface StageOptions {
  /** Another cluster beside the checkout's own. */
  readonly name?: string;
  readonly nodes?: number;
  /** Where sending addresses are; those that are not named are on node 1. */
  readonly homes?: Homes;
  /** Everything of the chart runs on node 1, so that any other can be lost. */
  readonly heartOnFirst?: boolean;
  /** What the samples say differently, by kind: merged into their specs. */
  readonly specs?: Readonly<Record<string, object>>;
  readonly profile: 'ha' | 'small';
  /** What volumes are; see e2e/cluster. */
  readonly volumes?: UpOptions['volumes'];
  /** Images with a clock that tests can set; see e2e/image/clock.ts. */
  readonly clocks?: boolean;
  readonly onStep?: (step: string) => void;
}

/** Brings everything up and resolves when mail can be submitted. */
export async function raiseStage(options: StageOptions): Promise<Stage> {
  const step = options.onStep ?? (() => {});
  const world = demoWorld();
  const cluster = openCluster(options.name);
  if (cluster.existing) throw new Error('the miniature internet needs the local cluster: unset CLUSTER');
  step('cluster');
  const nodes = options.nodes ?? 1;
  const homes = homesOf(
    world.sendingAddresses.map(({ address }) => address),
    options.homes,
  );
  const { volumes = 'folders' } = options;
  await cluster.up({ nodes, volumes, internet: { addresses: addressesOf(world) }, ...homes });
  const internet = await openInternet(cluster);
  step('images');
  const image = await giveImages(cluster, options.clocks ?? false);
  step('chart');
  const install = () =>
    installChart(cluster, { image, profile: options.profile, dnsServer: world.dns.address });
  await (options.heartOnFirst ? onFirstNode(cluster, nodes, install) : install());
  step('samples');
  await applySamples(cluster, options.specs);
  const keys = await publishDkim(cluster, internet);
  step('key');
  const credential = await makeKey(cluster, 'acme');
  const ports = await ingressPorts(cluster);
  const host = cluster.addresses().node(1);
  return {
    cluster,
    internet,
    world,
    keys,
    smtp: { host, port: ports.submission, ...credential },
    http: { url: `https://${host}:${ports.https}`, token: credential.password },
  };
}

interface Domain {
  readonly status?: {
    readonly records?: readonly { readonly name: string; readonly type: string; readonly value: string }[];
  };
}

/** Publishes the DNS records that the SendingDomain asks for, as its owner would, and gives the DKIM ones. */
async function publishDkim(cluster: Cluster, internet: InternetClient): Promise<Keys> {
  const records = await until('the DNS records of sendingdomain/demo', async () => {
    const text = await cluster.kubectl(['-n', NAMESPACE, 'get', 'sendingdomain', 'demo', '-o', 'json']);
    const all = (JSON.parse(text) as Domain).status?.records?.filter(({ type }) => type === 'TXT') ?? [];
    return all.some(({ name }) => name.includes('._domainkey.')) ? all : null;
  });
  await internet.setDns(records.map(({ name, value }) => ({ name, type: 'TXT', data: value })));
  const keys = records.filter(({ name }) => name.includes('._domainkey.'));
  return Object.fromEntries(keys.map(({ name, value }) => [name.replace(/\.$/, ''), value]));
}
