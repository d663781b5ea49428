// `postfleet operator`: settings, election, authority, watches and reconciles.
import { Readiness, serveHealth } from '../process/health.ts';
import { log as rootLog } from '../process/log.ts';
import { readSettings } from '../process/settings.ts';
import { askedToEnd } from '../process/termination.ts';
import { Applier } from './act/apply.ts';
import type { Deps } from './act/deps.ts';
import { noFindings } from './act/findings.ts';
import { authorityController } from './authority/keeper.ts';
import { keepOwnIdentity } from './authority/own.ts';
import { serveIdentity } from './authority/serve.ts';
import { SERVERS } from './authority/server-certificates.ts';
import { loadAuthority, loadSealingKey } from './authority/store.ts';
import { makeControllers } from './controllers.ts';
import { natsUp } from './metrics.ts';
import { linkNats } from './nats/link.ts';
import { AddressWatcher } from './observe/address-dns.ts';
import { RecordWatcher } from './observe/dns.ts';
import { statementAsker } from './observe/statement.ts';
import { Elector } from './runtime/elector.ts';
import { EventRecorder } from './runtime/events.ts';
import { Manager } from './runtime/manager.ts';
import { KubeApi } from './runtime/transport.ts';
import { installationOf, type OperatorSettings, operatorSettings } from './settings.ts';
import { cachesOf, makeWatches, reflectorsOf } from './watches.ts';

const log = rootLog.child({ room: 'operator' });

/** Runs the operator until SIGTERM or SIGINT. @throws SettingsError */
export async function runOperator(env: NodeJS.ProcessEnv): Promise<void> {
  const settings = readSettings(operatorSettings, env);
  const operator = await startOperator(settings, KubeApi.fromDefault());
  log.info('the operator works');
  const signal = await askedToEnd();
  log.info({ signal }, 'the operator is asked to end');
  await operator.stop();
  // A server that does not answer must not keep the pod from ending.
  process.exit(0);
}

/** Starts everything; resolves when caches are filled and it stands for election. */
export async function startOperator(settings: OperatorSettings, api: KubeApi) {
  const readiness = new Readiness();
  const health = await serveHealth(settings.POSTFLEET_METRICS_PORT, readiness);
  const identity = await startIdentity(settings, api);
  const sealingKey = await loadSealingKey(api, settings.POSTFLEET_NAMESPACE);
  // NATS is no condition of being ready: its servers get their certificates from here.
  const nats = linkNats(settings, (obstacle) => natsUp.set(obstacle === null ? 1 : 0));
  const manager = await makeManager(settings, api, readiness, {
    authority: identity.authority,
    sealingKey,
    bus: nats.state,
  });
  await manager.start();
  return {
    async stop(): Promise<void> {
      await manager.stop();
      await Promise.all([nats.close(), identity.stop()]);
      health.close();
      await api.close();
    },
  };
}

/** Every replica serves certificates: the authority is in a Secret, so who leads does not matter. */
async function startIdentity(settings: OperatorSettings, api: KubeApi) {
  const { POSTFLEET_NAMESPACE: namespace, POSTFLEET_EGRESS_NAMESPACE: egress } = settings;
  const authority = await loadAuthority(api, namespace);
  let renew: Awaited<ReturnType<typeof serveIdentity>>['renew'] | null = null;
  const own = await keepOwnIdentity({
    authority,
    identity: {
      namespace,
      role: 'operator',
      pool: null,
      pod: settings.POSTFLEET_POD_NAME,
      uid: settings.POSTFLEET_POD_UID,
    },
    folder: settings.POSTFLEET_IDENTITY_DIR,
    onRenewed: (credentials) => renew?.(credentials),
  });
  const served = await serveIdentity({
    api,
    authority,
    allowed: (role, where) => where === (role === 'egress' ? egress : namespace),
    port: settings.POSTFLEET_IDENTITY_PORT,
    credentials: own.credentials,
  });
  renew = served.renew;
  const stop = async () => {
    own.stop();
    await served.close();
  };
  return { authority, stop };
}

type Made = Pick<Deps, 'sealingKey' | 'bus'> & {
  readonly authority: Awaited<ReturnType<typeof loadAuthority>>;
};

async function makeManager(
  settings: OperatorSettings,
  openApi: KubeApi,
  readiness: Readiness,
  { authority, ...made }: Made,
): Promise<Manager> {
  const installation = installationOf(settings);
  const { namespace, egressNamespace } = installation;
  const watches = await makeWatches(openApi, installation);
  // The manager knows who leads and is made last; until then nobody does.
  let manager: Manager | null = null;
  const api = openApi.fenced(() => manager?.isLeader ?? false);
  const instance = settings.POSTFLEET_POD_NAME;
  const recorder = new EventRecorder({ api, controller: 'postfleet.io/operator', instance });
  const controllers = makeControllers(watches, namespace, (wakers) => ({
    ...made,
    ...wakers,
    api,
    caches: cachesOf(watches),
    applier: new Applier(api, Date.now),
    installation,
    streamProfile: {
      replicas: settings.POSTFLEET_NATS_REPLICAS,
      shardMaxBytes: settings.POSTFLEET_SHARD_MAX_BYTES,
    },
    ask: statementAsker(settings.POSTFLEET_IDENTITY_DIR, settings.POSTFLEET_ADMIN_PORT),
    dns: new RecordWatcher(settings.POSTFLEET_DNS_SERVERS),
    addressDns: new AddressWatcher(settings.POSTFLEET_DNS_SERVERS),
    findings: noFindings(),
    tell: (about, event) => recorder.record(about, event),
    now: Date.now,
  }));
  const hosts = settings.POSTFLEET_INGRESS_HOSTNAME ? [settings.POSTFLEET_INGRESS_HOSTNAME] : [];
  const servers = SERVERS.map((server) => (server.role === 'ingress' ? { ...server, hosts } : server));
  const keeper = authorityController({
    api,
    authority,
    namespace,
    otherNamespaces: [egressNamespace],
    servers,
  });
  manager = new Manager({
    reflectors: reflectorsOf(watches),
    controllers: [keeper, ...controllers],
    elector: (onChange) =>
      new Elector({
        api: openApi,
        namespace,
        name: 'postfleet-operator',
        identity: `${instance}_${settings.POSTFLEET_POD_UID}`,
        onChange,
      }),
    readiness,
    onStop: () => recorder.flush(),
  });
  return manager;
}
