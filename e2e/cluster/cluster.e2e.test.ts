// The cluster itself, one of its own beside the checkout's: that it is real, and that nothing of it is ever left.
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '../image/layout.ts';
import { NATS_IMAGE, natsImage } from '../image/nats.ts';
import { POSTFLEET_IMAGE, postfleetImage } from '../image/postfleet.ts';
import { digestOf, importImage } from './images/import.ts';
import { isExisting, openCluster } from './index.ts';
import { ctr } from './node.ts';
import { placeOf } from './place.ts';
import { members } from './system/cgroups.ts';
import { until } from './system/until.ts';

const NAME = 'cluster-test';
const SENDING = '198.51.100.10';
const MX = '203.0.113.7';
const place = placeOf(NAME);

const nats = (replicas: number) => [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'nats' },
    spec: { selector: { app: 'nats' }, ports: [{ port: 4222 }] },
  },
  {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'nats' },
    spec: {
      replicas,
      serviceName: 'nats',
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Retain' },
      selector: { matchLabels: { app: 'nats' } },
      template: {
        metadata: { labels: { app: 'nats' } },
        spec: {
          securityContext: { runAsUser: 65532, fsGroup: 65532, runAsNonRoot: true },
          containers: [
            {
              name: 'nats',
              image: NATS_IMAGE,
              args: ['--jetstream', '--store_dir', '/data'],
              readinessProbe: { tcpSocket: { port: 4222 }, periodSeconds: 1 },
              volumeMounts: [{ name: 'data', mountPath: '/data' }],
            },
          ],
        },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
    },
  },
];

const node = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'node' },
  spec: {
    terminationGracePeriodSeconds: 0,
    securityContext: { runAsNonRoot: true },
    containers: [
      {
        name: 'node',
        image: POSTFLEET_IMAGE,
        command: ['node', '-e', 'setInterval(() => {}, 1e6)'],
        securityContext: { readOnlyRootFilesystem: true },
        volumeMounts: [{ name: 'token', mountPath: '/token' }],
      },
    ],
    volumes: [
      {
        name: 'token',
        projected: { sources: [{ serviceAccountToken: { audience: 'postfleet.io', path: 'token' } }] },
      },
    ],
  },
};

/** The bare first line that a TCP server says, as seen by Node in `run`'s place. */
const greeting = (host: string, port: number) =>
  `require('node:net').connect(${port}, '${host}').on('error', (e) => console.log(e.code))
    .once('data', function (d) { console.log(d.toString().slice(0, 6)); this.destroy(); })`;

const describeLocal = isExisting() ? describe.skip : describe;

describeLocal('a local cluster', () => {
  const cluster = openCluster(NAME);
  const { kubectl, helm } = cluster;
  const list = (items: readonly object[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const inPod = (script: string) => kubectl(['exec', 'node', '--', 'node', '-e', script]);
  const ready = (pod: string) => kubectl(['wait', '--for=condition=Ready', `pod/${pod}`, '--timeout=60s']);

  beforeAll(async () => {
    await cluster.down();
    await cluster.up({
      internet: { addresses: ['192.0.2.53', MX] },
      sendingAddresses: [{ address: SENDING, node: 1 }],
    });
    await cluster.importImage(await natsImage());
    await cluster.importImage(await postfleetImage());
    await kubectl(['apply', '-f', '-'], list([...nats(1), node]));
    // The StatefulSet's controller makes the pod a moment later.
    await kubectl(['rollout', 'status', 'statefulset/nats', '--timeout=60s']);
    await ready('node');
  }, 180_000);
  afterAll(() => cluster.down(), 60_000);

  test('up again is a matter of a moment, and changes nothing', async () => {
    const before = members(place.cgroup).sort();
    await cluster.up();
    await cluster.up({ nodes: 1, internet: { addresses: ['192.0.2.53', MX] } });
    expect(members(place.cgroup).sort()).toEqual(before);
  });

  test('a claim has a volume on its node, writable for the pod', async () => {
    const claim = JSON.parse(await kubectl(['get', 'pvc', 'data-nats-0', '-o', 'json']));
    expect(claim.status.phase).toBe('Bound');
    expect(claim.spec.storageClassName).toBe('local');
    expect(await kubectl(['logs', 'nats-0'])).toContain('Starting JetStream');
  });

  test('pods find services by name, reach them and the API, and resolve nothing else', async () => {
    // kube-proxy learns of the endpoint a moment after the pod is ready; until then it refuses.
    await until(
      'the greeting of the service',
      async () => (await inPod(greeting('nats.default.svc.cluster.local', 4222))) === 'INFO {\n',
    );
    const look = (name: string) =>
      inPod(
        `require('node:dns').promises.lookup('${name}').then((a) => console.log(a.address), (e) => console.log(e.code))`,
      );
    expect(await look('kubernetes.default.svc')).toBe('10.96.0.1\n');
    expect(await look('example.com')).toMatch(/^(EAI_AGAIN|ENOTFOUND)/);
  });

  test('a projected token is for its audience, and the API server vouches for it and for no other', async () => {
    const token = await inPod(
      "process.stdout.write(require('node:fs').readFileSync('/token/token', 'utf8'))",
    );
    const review = async (audience: string) => {
      const body = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, audiences: [audience] },
      };
      return JSON.parse(await kubectl(['create', '-f', '-', '-o', 'json'], JSON.stringify(body))).status;
    };
    expect(await review('postfleet.io')).toMatchObject({
      authenticated: true,
      audiences: ['postfleet.io'],
      user: { username: 'system:serviceaccount:default:default', extra: expect.anything() },
    });
    expect((await review('other')).authenticated).not.toBe(true);
  });

  test('the internet sees who called: a pod by its own address, a node by the one it chose', async () => {
    const server = `require('node:net').createServer((s) => s.end('HELLO ' + s.remoteAddress)).listen(2525, '0.0.0.0', () => console.log('listening'))`;
    const child = cluster.runInInternet([process.execPath, '-e', server], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      if (!child.stdout) throw new Error('its output is a pipe');
      await once(child.stdout, 'data');
      const say = (local: string) =>
        `require('node:net').connect({ port: 2525, host: '${MX}'${local} }).on('data', (d) => console.log(d.toString()))`;
      const pod = JSON.parse(await kubectl(['get', 'pod', 'node', '-o', 'json']));
      expect(await inPod(say(''))).toBe(`HELLO ${pod.status.podIP}\n`);
      const caller = cluster.runInNode(1, [process.execPath, '-e', say(`, localAddress: '${SENDING}'`)]);
      const [heard] = caller.stdout ? await once(caller.stdout, 'data') : [];
      expect(String(heard)).toBe(`HELLO ${SENDING}\n`);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('helm installs', async () => {
    const chart = mkdtempSync(join(tmpdir(), 'postfleet-chart-'));
    try {
      mkdirSync(join(chart, 'templates'));
      writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: tiny\nversion: 1.0.0\n');
      const template =
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tiny}\ndata: {from: "{{ .Release.Name }}"}\n';
      writeFileSync(join(chart, 'templates', 'map.yaml'), template);
      await helm(['install', 'first', chart, '--wait']);
      expect(await kubectl(['get', 'configmap', 'tiny', '-o', 'jsonpath={.data.from}'])).toBe('first');
    } finally {
      rmSync(chart, { recursive: true });
    }
  });

  test('an image that is there is not sent again; a changed one replaces it, and only what is new is sent', async () => {
    const first = await natsImage();
    expect(await importImage(place, 1, first)).toBe(false);
    const runs = { entrypoint: ['/nats-server', '--jetstream'], user: '1:1' };
    const changed = assemble(first.name, first.layers, runs);
    expect(await importImage(place, 1, changed)).toBe(true);
    expect(digestOf(await ctr(place, 1, ['images', 'ls']), first.name)).toBe(changed.manifest.digest);
    expect(await importImage(place, 1, first)).toBe(true);
  });

  test('a node that is cut off is noticed and comes back', async () => {
    await cluster.stopNode(1);
    await kubectl(['wait', '--for=condition=Ready=Unknown', 'node/node1', '--timeout=60s']);
    await cluster.startNode(1);
    await kubectl(['wait', '--for=condition=Ready', 'node/node1', '--timeout=60s']);
  }, 130_000);

  test('after all its processes were killed the next up clears what they left, and works', async () => {
    for (const pid of members(place.cgroup)) process.kill(pid, 'SIGKILL');
    expect(await cluster.isUp()).toBe(false);
    expect(cluster.leftovers()).toEqual(expect.arrayContaining([expect.stringMatching(/^mount /)]));
    await cluster.up();
    expect(await kubectl(['get', 'pods', '-o', 'name'])).toBe('');
    await cluster.importImage(await natsImage());
    await kubectl(['apply', '-f', '-'], list(nats(1)));
    await kubectl(['rollout', 'status', 'statefulset/nats', '--timeout=60s']);
  }, 120_000);

  test('down, twice, leaves nothing', async () => {
    await cluster.down();
    expect(cluster.leftovers()).toEqual([]);
    await cluster.down();
    expect(cluster.leftovers()).toEqual([]);
  }, 60_000);

  test('two nodes: pods of one reach services on the other, and a removed claim takes its folder along', async () => {
    await cluster.up({ nodes: 2 });
    await cluster.importImage(await natsImage());
    await kubectl(['cordon', 'node1']);
    await kubectl(['apply', '-f', '-'], list(nats(1)));
    await kubectl(['rollout', 'status', 'statefulset/nats', '--timeout=60s']);
    const [address] = (await kubectl(['get', 'service', 'nats', '-o', 'jsonpath={.spec.clusterIP}'])).split(
      '\n',
    );
    // kube-proxy of the other node learns of the endpoint a moment after the pod is ready.
    await until('the greeting of the other node', async () => {
      const caller = cluster.runInNode(1, [process.execPath, '-e', greeting(address ?? '', 4222)]);
      // Before the proxy knows the endpoint a connection may hang instead of being refused.
      const patience = { signal: AbortSignal.timeout(5000) };
      const [heard] = caller.stdout
        ? await once(caller.stdout, 'data', patience).finally(() => caller.kill())
        : [];
      return String(heard) === 'INFO {\n';
    });
    await kubectl(['delete', 'statefulset', 'nats', '--cascade=foreground']);
    await kubectl(['wait', '--for=delete', 'persistentvolume', '--all', '--timeout=60s']);
    expect(cluster.leftovers()).not.toEqual([]);
    await cluster.down();
    expect(cluster.leftovers()).toEqual([]);
  }, 180_000);
});
