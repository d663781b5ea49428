import type { Assignment } from '../../mta/bus/snapshot.ts';
import { podView, worldOf } from '../decide/scripted-world.ts';
import type { PoolWorld, VolumeView } from '../observe/world.ts';
import type { KubeApi } from '../runtime/transport.ts';
import { markUsed, replacePods, settleVolumes } from './spools.ts';

/** Notes what is written. */
function recorder() {
  const written: string[] = [];
  const bodies: unknown[] = [];
  const api = {
    patch: async (_: unknown, { name }: { name: string }, { body }: { body: unknown }) => {
      written.push(`patch ${name}`);
      bodies.push(body);
    },
    delete: async (_: unknown, { name }: { name: string }, options: { resourceVersion?: string }) =>
      void written.push(`delete ${name} ${options.resourceVersion ?? ''}`.trim()),
  } as unknown as KubeApi;
  return { api, written, bodies, now: () => 0 };
}

const volumes = (over: (ordinal: number) => Partial<VolumeView>): VolumeView[] =>
  worldOf(3).volumes.map((volume) => ({ ...volume, ...over(volume.ordinal) }));
const lowered = (over: Partial<PoolWorld> = {}): PoolWorld => ({
  ...worldOf(2),
  volumes: volumes((ordinal) => ({ provenEmpty: ordinal === 2 })),
  ...over,
});

test('rule 7: a drained volume is deleted only unchanged since it was seen; kept, it loses both marks', async () => {
  const { api, written, bodies } = recorder();
  const told: string[] = [];
  await settleVolumes({ api }, lowered(), 'Delete', (volume, what) => told.push(`${what} ${volume}`));
  await settleVolumes({ api }, lowered(), 'Keep', (volume, what) => told.push(`${what} ${volume}`));
  expect(written).toEqual(['delete spool-demo-delivery-2 1', 'patch spool-demo-delivery-2']);
  expect(bodies[0]).toMatchObject({
    metadata: {
      resourceVersion: '1',
      annotations: { 'postfleet.io/used-since': null, 'postfleet.io/proven-empty': null },
    },
  });
  expect(told).toEqual(['VolumeDeleted spool-demo-delivery-2', 'VolumeKept spool-demo-delivery-2']);
});

test('a pod that is newly given shards is marked whatever the cache shows; one that has some is not marked again', async () => {
  const owns = (...ordinals: number[]): Assignment => ({
    version: 1,
    pool: 'mail/demo',
    revision: 1,
    members: [],
    shards: ordinals.map((ordinal, shard) => {
      const owner = { pod: `demo-delivery-${ordinal}`, uid: `uid-${ordinal}`, node: 'node-a' };
      return { shard, epoch: 1, owner, releasing: false, former: null };
    }),
  });
  const deps = recorder();
  await markUsed(deps, worldOf(2, { assignment: owns(0, 0) }), owns(0, 1));
  expect(deps.written).toEqual(['patch spool-demo-delivery-1']);
  expect(deps.bodies[0]).toMatchObject({ metadata: { annotations: { 'postfleet.io/proven-empty': null } } });
});

test('a pod whose empty volume is being deleted starts anew; one whose volume may hold mail is left alone', async () => {
  const deps = recorder();
  const losing = (provenEmpty: boolean) =>
    volumes((ordinal) => ({ deleting: ordinal === 1, provenEmpty })).slice(0, 2);
  await replacePods(deps, worldOf(2, { volumes: losing(false) }));
  expect(deps.written).toEqual([]);
  await replacePods(deps, worldOf(2, { volumes: losing(true), pods: [podView(0), podView(1)] }));
  expect(deps.written).toEqual(['delete demo-delivery-1']);
});
