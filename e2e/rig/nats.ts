// Real nats-servers with sync_interval: always, one or a cluster, each of which can be stopped, frozen and started again.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './ports.ts';
import { binFolder, Child, until } from './process.ts';

export interface NatsOptions {
  readonly servers?: number;
  /** Folder with tls.crt, tls.key, ca.crt: mutual TLS as in the chart; absent: plain. */
  readonly tlsDir?: string;
  /** `authorization { … }` and the like, added to the configuration. */
  readonly extraConfig?: string;
  readonly syncInterval?: string;
}

export interface NatsNode {
  readonly url: string;
  readonly monitorUrl: string;
  readonly child: Child;
  start(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface Nats {
  readonly nodes: readonly NatsNode[];
  /** What a role needs to use it. */
  readonly env: {
    POSTFLEET_NATS_URL: string;
    POSTFLEET_NATS_REPLICAS: string;
    POSTFLEET_NATS_MONITOR_URL: string;
  };
  stop(): Promise<void>;
}

/** Starts `servers` (1) nats-servers and waits until JetStream answers. */
export async function startNats(options: NatsOptions = {}): Promise<Nats> {
  const count = options.servers ?? 1;
  const folder = mkdtempSync(join(tmpdir(), 'postfleet-nats-'));
  const [client = 0, route = 0, monitor = 0] = await freePorts(3);
  // One loopback address a server and the same ports everywhere, so that `{host}` names the monitoring endpoint too.
  const hosts = Array.from({ length: count }, (_, i) => `127.0.0.${i + 1}`);
  const routes = hosts.map((host) => `nats://${host}:${route}`);
  const nodes = hosts.map((host, i) =>
    natsNode(join(folder, `n${i}`), { host, client, route, monitor }, routes, options),
  );
  await Promise.all(nodes.map((node) => node.start()));
  const scheme = options.tlsDir ? 'tls' : 'nats';
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    nodes,
    env: {
      POSTFLEET_NATS_URL: nodes.map((node) => node.url.replace(/^\w+/, scheme)).join(','),
      POSTFLEET_NATS_REPLICAS: String(count),
      POSTFLEET_NATS_MONITOR_URL: `${options.tlsDir ? 'https' : 'http'}://{host}:${monitor}`,
    },
    stop,
  };
}

interface Place {
  readonly host: string;
  readonly client: number;
  readonly route: number;
  readonly monitor: number;
}

function natsNode(folder: string, place: Place, routes: readonly string[], options: NatsOptions): NatsNode {
  const monitorUrl = `${options.tlsDir ? 'https' : 'http'}://${place.host}:${place.monitor}`;
  const file = `${folder}.conf`;
  writeFileSync(file, natsConfig(folder, place, routes, options));
  let child: Child;
  return {
    url: `nats://${place.host}:${place.client}`,
    monitorUrl,
    get child() {
      return child;
    },
    async start() {
      child = new Child(join(binFolder(), 'nats-server'), ['-c', file], {
        name: `nats-server ${place.host}`,
      });
      await until(`nats-server ${place.host}`, () => {
        if (!child.running) throw new Error(child.output);
        return (
          child.output.includes('Server is ready') &&
          (routes.length < 2 ||
            /JetStream cluster (new|recovered) metadata leader|Received.*leader|JetStream Cluster/i.test(
              child.output,
            ))
        );
      });
    },
    stop: (signal) => child?.stop(signal) ?? Promise.resolve(),
  };
}

function natsConfig(folder: string, place: Place, routes: readonly string[], options: NatsOptions): string {
  const tls = options.tlsDir
    ? `tls { cert_file: "${options.tlsDir}/tls.crt", key_file: "${options.tlsDir}/tls.key", ca_file: "${options.tlsDir}/ca.crt", verify_and_map: true }`
    : '';
  const cluster =
    routes.length > 1
      ? `cluster { name: rig, listen: "${place.host}:${place.route}", routes: [${routes.map((r) => `"${r}"`).join(', ')}] }`
      : '';
  return `
server_name: n${place.host.split('.')[3]}
listen: "${place.host}:${place.client}"
${options.tlsDir ? 'https' : 'http'}: "${place.host}:${place.monitor}"
max_payload: 8388608
jetstream { store_dir: "${folder}", sync_interval: ${options.syncInterval ?? 'always'} }
${tls}
${cluster}
${options.extraConfig ?? ''}
`;
}
