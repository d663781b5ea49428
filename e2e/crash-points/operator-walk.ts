// A real operator as a process, a real API server and NATS; the pods are played (operator/stand-in.ts), and each states what it holds over
// mutual TLS, as its UID.
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { type Bus, connectBus } from '../../mta/bus/client.ts';
import { assignmentKey, FLEET_BUCKET, poolKey } from '../../mta/bus/names.ts';
import type { Assignment } from '../../mta/bus/snapshot.ts';
import type { Authority } from '../../operator/authority/authority.ts';
import { loadAuthority } from '../../operator/authority/store.ts';
import { KINDS, type Kind } from '../../operator/observe/types.ts';
import { connectByKubeConfig } from '../../operator/runtime/connection.ts';
import { type AnyObject, TYPES } from '../../operator/runtime/objects.ts';
import { KubeApi } from '../../operator/runtime/transport.ts';
import { StandIn } from '../../operator/stand-in.ts';
import type { FailpointName } from '../../process/failpoint.ts';
import { serverTls } from '../../process/identity/tls.ts';
import { API_VERSION } from '../../resources/kinds.ts';
import { type ApiServer, startApiServer } from '../rig/apiserver.ts';
import { type Nats, startNats } from '../rig/nats.ts';
import { freePorts } from '../rig/ports.ts';
import { Child, until } from '../rig/process.ts';

const NAMESPACE = 'mail';
const POOL = 'mail/demo';
const MAIN = join(import.meta.dirname, '../../cli/main.ts');
const PATIENCE_MS = 60_000;

export class OperatorWalk {
  readonly #server: ApiServer;
  readonly #nats: Nats;
  readonly #api: KubeApi;
  readonly #bus: Bus;
  readonly #world: StandIn;
  readonly #authority: Authority;
  readonly #env: NodeJS.ProcessEnv;
  readonly #folder: string;
  readonly #adminPort: number;
  readonly #pods = new Map<string, { readonly uid: string; readonly server: Server }>();
  #operator: Child | null = null;

  private constructor(
    server: ApiServer,
    nats: Nats,
    api: KubeApi,
    bus: Bus,
    authority: Authority,
    ports: number[],
  ) {
    const [metrics = 0, identity = 0, admin = 0] = ports;
    this.#server = server;
    this.#nats = nats;
    this.#api = api;
    this.#bus = bus;
    this.#authority = authority;
    this.#adminPort = admin;
    this.#folder = mkdtempSync(join(tmpdir(), 'postfleet-operator-'));
    this.#world = new StandIn(api, NAMESPACE, () => this.assignment());
    this.#world.address = (pod) => `127.0.8.${10 + Number(/\d+$/.exec(pod)?.[0] ?? 0)}`;
    this.#env = {
      PATH: process.env.PATH,
      POSTFLEET_LOG_LEVEL: 'warn',
      KUBECONFIG: server.kubeconfigPath,
      POSTFLEET_NAMESPACE: NAMESPACE,
      POSTFLEET_POD_NAME: 'operator-0',
      POSTFLEET_POD_UID: 'uid-operator-0',
      POSTFLEET_IDENTITY_DIR: this.#folder,
      POSTFLEET_METRICS_PORT: String(metrics),
      POSTFLEET_IDENTITY_PORT: String(identity),
      POSTFLEET_ADMIN_PORT: String(admin),
      POSTFLEET_IMAGE: 'example.org/postfleet:test',
      POSTFLEET_EGRESS_NAMESPACE: 'mail-egress',
      ...nats.env,
    };
  }

  /** A pool of two pods at rest, with mail in both spools. */
  static async start(): Promise<OperatorWalk> {
    const [server, nats, ports] = await Promise.all([startApiServer(), startNats(), freePorts(3)]);
    const config = new KubeConfig();
    config.loadFromFile(server.kubeconfigPath);
    const api = new KubeApi(connectByKubeConfig(config));
    await prepare(api);
    const bus = await connectBus(
      {
        POSTFLEET_NATS_URL: [nats.env.POSTFLEET_NATS_URL],
        POSTFLEET_NATS_REPLICAS: 1,
        POSTFLEET_NATS_MONITOR_URL: nats.env.POSTFLEET_NATS_MONITOR_URL,
        POSTFLEET_IDENTITY_DIR: tmpdir(),
      },
      'test',
    );
    const walk = new OperatorWalk(server, nats, api, bus, await loadAuthority(api, NAMESPACE), ports);
    walk.run();
    await walk.apply('IPPool', 'main', { addresses: [{ address: '192.0.2.1', ehlo: 'm1.example.org' }] });
    await walk.scale(2);
    await walk.atRest(2);
    return walk;
  }

  /** Starts the operator, with a failpoint armed or none. */
  run(point?: FailpointName): void {
    const armed = point && { POSTFLEET_FAILPOINT: point, POSTFLEET_ALLOW_FAILPOINTS: 'yes' };
    this.#operator = new Child(process.execPath, [MAIN, 'operator'], {
      name: 'operator',
      env: { ...this.#env, ...armed },
    });
  }

  async end(): Promise<void> {
    await this.#operator?.stop('SIGKILL');
  }

  async killed(point: FailpointName): Promise<void> {
    await this.#eventually(
      `the operator to be killed at ${point}`,
      async () => this.#operator?.running === false,
    );
    const { output = '', process } = this.#operator ?? {};
    if (process?.signalCode !== 'SIGKILL' || !output.includes(`FAILPOINT ${point} reached`))
      throw new Error(`the operator ended otherwise than at ${point}: ${output.slice(-3000)}`);
  }

  scale(replicas: number): Promise<unknown> {
    // Each pod has mail, so that it has something to hand over.
    for (let n = 0; n < 2; n++) this.#world.spooled.set(`demo-delivery-${n}`, 5);
    return this.apply('SendingPool', 'demo', { replicas, shards: 4, ipPoolRef: { name: 'main' } });
  }

  apply(kind: Kind, name: string, spec: object): Promise<unknown> {
    const object = { apiVersion: API_VERSION, kind, metadata: { namespace: NAMESPACE, name }, spec };
    return this.#api.apply(KINDS[kind], object as AnyObject, 'test');
  }

  /** So many pods, the shards shared out evenly among them, and nothing under way. */
  atRest(pods: number): Promise<unknown> {
    return this.#eventually(`${pods} pods at rest`, async () => {
      const { members, shards } = (await this.assignment()) ?? { members: [], shards: [] };
      const owners = new Map<string, number>();
      for (const { owner, releasing } of shards)
        if (owner && !releasing) owners.set(owner.pod, (owners.get(owner.pod) ?? 0) + 1);
      const even =
        owners.size === pods && [...owners.values()].every((count) => count === shards.length / pods);
      return even && members.length === pods && (await this.replicas()) === pods;
    });
  }

  async replicas(): Promise<number> {
    const set = await this.#api.get(TYPES.statefulSets, { namespace: NAMESPACE, name: 'demo-delivery' });
    return (set.spec as { replicas: number }).replicas;
  }

  async assignment(): Promise<Assignment | null> {
    try {
      const entry = await (await this.#bus.kv(FLEET_BUCKET)).get(assignmentKey(poolKey(POOL)));
      return entry ? entry.json<Assignment>() : null;
    } catch {
      return null; // the operator has not made the bucket yet
    }
  }

  async stop(): Promise<void> {
    await this.end();
    for (const { server } of this.#pods.values()) server.close();
    await this.#bus.close();
    await this.#api.close();
    await Promise.all([this.#server.stop(), this.#nats.stop()]);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Plays the cluster until `check` holds. */
  async #eventually(what: string, check: () => Promise<boolean>): Promise<void> {
    const played = async () => {
      await this.#world.play();
      await this.#listen();
      return check();
    };
    await until(what, played, PATIENCE_MS).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.#operator?.output.slice(-3000)}`);
    });
  }

  /** Every pod there is answers for itself. */
  async #listen(): Promise<void> {
    const { items } = await this.#api.list(TYPES.pods, { namespace: NAMESPACE });
    for (const { metadata } of items) {
      const { name, uid = '' } = metadata;
      const before = this.#pods.get(name);
      if (before?.uid === uid) continue;
      if (before) await new Promise((closed) => before.server.close(closed).closeAllConnections());
      this.#pods.set(name, { uid, server: await this.#serve(name, uid) });
    }
  }

  async #serve(name: string, uid: string): Promise<Server> {
    const identity = { namespace: NAMESPACE, role: 'delivery', pool: 'demo', pod: name, uid } as const;
    const tls = serverTls(await this.#authority.issueFor(identity));
    const server = createServer(tls, async (_, response) => {
      const reading = await this.#world.ask({ name, uid } as Parameters<StandIn['ask']>[0]);
      response.end(JSON.stringify(reading.kind === 'statement' ? reading.statement : {}));
    });
    await new Promise<void>((resolve) => server.listen(this.#adminPort, this.#world.address(name), resolve));
    return server;
  }
}

/** CRDs, namespaces and a node. */
async function prepare(api: KubeApi): Promise<void> {
  const folder = join(import.meta.dirname, '../../crds');
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.yaml')))
    await api.apply(TYPES.customResourceDefinitions, parse(await readFile(join(folder, file), 'utf8')));
  for (const name of [NAMESPACE, 'mail-egress'])
    await api.apply(TYPES.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await api.create(TYPES.nodes, { metadata: { name: 'node-a' } });
  const status = { conditions: [{ type: 'Ready', status: 'True' }] };
  await api.patchStatus(TYPES.nodes, { name: 'node-a' }, { kind: 'merge', body: { status } });
  await until('the CRDs are served', () =>
    Promise.all(Object.values(KINDS).map((kind) => api.list(kind, { namespace: NAMESPACE }))),
  );
}
