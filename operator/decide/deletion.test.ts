import type { Assignment } from '../../mta/bus/snapshot.ts';
import type { PoolWorld } from '../observe/world.ts';
import { decideDeletion } from './deletion.ts';
import { obedientStatement, podView, readingsOf, unknownReading, worldOf } from './scripted-world.ts';

const assignment = (cordoned: boolean): Assignment => ({
  version: 1,
  pool: 'mail/demo',
  revision: 3,
  members: [0, 1].map((i) => ({ pod: `demo-delivery-${i}`, uid: `uid-${i}`, cordoned, handOver: false })),
  shards: [],
});

function pool(cordoned: boolean, spooled = 0, over: Partial<PoolWorld> = {}): PoolWorld {
  const base = worldOf(2, { assignment: assignment(cordoned) });
  const statements = base.pods.map((pod) =>
    obedientStatement(pod, base.assignment, { spool: { entries: pod.ordinal === 0 ? spooled : 0 } }),
  );
  return { ...base, readings: readingsOf(statements), ...over };
}
/** With the volume of a third pod that is there no more. */
function stranded(volume: Partial<PoolWorld['volumes'][number]>): PoolWorld {
  const volumes = worldOf(3).volumes.map((v) => (v.ordinal === 2 ? { ...v, ...volume } : v));
  return pool(false, 0, { volumes });
}
const streams = { parcels: 0, bounces: 0, closed: false };
const silent = new Map([...pool(false).readings, ['uid-1', unknownReading()]]);

describe('rule 1: to zero only on deletion, after streams, transfers and spools are all at zero', () => {
  test.each([
    ['intake is open', decideDeletion(pool(false), false, streams), { step: 'CloseIntake' }],
    [
      'parcels wait in a stream',
      decideDeletion(pool(false), true, { ...streams, parcels: 4 }),
      { step: 'Deliver', left: 4 },
    ],
    [
      'bounces wait for ingress',
      decideDeletion(pool(false), true, { ...streams, bounces: 1 }),
      { step: 'Deliver', left: 1 },
    ],
    [
      'a spool holds recipients',
      decideDeletion(pool(false, 5), true, streams),
      { step: 'Deliver', left: 5, refusal: { reason: 'NotEmpty' } },
    ],
    [
      'a pod is silent',
      decideDeletion(pool(false, 0, { readings: silent }), true, streams),
      { step: 'Deliver', left: null, refusal: { reason: 'Unreachable' } },
    ],
    [
      'a used volume has no pod',
      decideDeletion(pool(false, 0, { pods: [podView(0)] }), true, streams),
      { step: 'Deliver', refusal: { reason: 'PodMissing' } },
    ],
    [
      'a volume that was used is past the last replica',
      decideDeletion(stranded({}), true, streams),
      { step: 'Deliver', refusal: { reason: 'PodMissing' } },
    ],
    [
      'a volume past the last replica was proven empty',
      decideDeletion(stranded({ provenEmpty: true }), true, streams),
      { step: 'CloseStreams' },
    ],
    [
      'a bounce turned up after the streams were closed',
      decideDeletion(pool(true), true, { ...streams, closed: true, bounces: 1 }),
      { step: 'ReopenStreams' },
    ],
    [
      'all seems empty: late publishes are shut out',
      decideDeletion(pool(false), true, streams),
      { step: 'CloseStreams' },
    ],
    [
      'empty is not stated after the cordon yet',
      decideDeletion(pool(false), true, { ...streams, closed: true }),
      { step: 'Cordon', refusal: { reason: 'NotCordoned' } },
    ],
    ['all is proven', decideDeletion(pool(true), true, { ...streams, closed: true }), { step: 'RemovePods' }],
    [
      'proven pods are ending',
      decideDeletion(worldOf(0, { pods: [podView(0, { deleting: true })] }), true, {
        ...streams,
        closed: true,
      }),
      { step: 'RemovePods' },
    ],
    [
      'the pods are gone',
      decideDeletion(worldOf(0, { statefulSet: null }), true, { ...streams, closed: true }),
      { step: 'RemoveStreams' },
    ],
    ['nothing is left', decideDeletion(worldOf(0, { statefulSet: null }), true, null), { step: 'Done' }],
  ])('%s', (_, step, expected) => expect(step).toMatchObject(expected));

  test('a parcel that came in late takes the pods back to delivering', () => {
    const step = decideDeletion(pool(true), true, { parcels: 1, bounces: 0, closed: true });
    expect(step).toMatchObject({ step: 'Deliver', left: 1 });
  });
});
