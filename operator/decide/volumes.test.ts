import type { PoolWorld, VolumeView } from '../observe/world.ts';
import { worldOf } from './scripted-world.ts';
import { drainedVolumes } from './volumes.ts';

const volumes = (over: (ordinal: number) => Partial<VolumeView>): VolumeView[] =>
  worldOf(3).volumes.map((volume) => ({ ...volume, ...over(volume.ordinal) }));
const lowered = (over: Partial<PoolWorld> = {}): PoolWorld => ({
  ...worldOf(2),
  volumes: volumes((ordinal) => ({ provenEmpty: ordinal === 2 })),
  ...over,
});

describe('rule 7: a volume is settled only when', () => {
  test.each<[string, PoolWorld, readonly number[]]>([
    ['it was proven empty and its pod is gone', lowered(), [2]],
    ['its pod is gone: a pod that is ending may still write', lowered({ pods: worldOf(3).pods }), []],
    ['it was proven empty, not only left over', lowered({ volumes: volumes(() => ({})) }), []],
    ['it was proven empty, not given up', lowered({ volumes: volumes(() => ({ givenUp: true })) }), []],
    ['replicas were lowered past it', { ...worldOf(3), volumes: lowered().volumes }, []],
    ['the StatefulSet is known', lowered({ statefulSet: null }), []],
  ])('%s', (_, world, ordinals) => {
    expect(drainedVolumes(world).map(({ ordinal }) => ordinal)).toEqual(ordinals);
  });
});
