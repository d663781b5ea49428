// How a leaving pod empties its spool: `spec.drain.mode`, or for one drain what an annotation says. What it says and nobody understands
// moves no mail: such a drain waits until the annotation is put right.
import { DRAIN_MODE_ANNOTATION } from '../desired/names.ts';
import type { SendingPool } from './resources.ts';
import type { PoolWorld } from './world.ts';

const MODES = ['Transfer', 'Wait'] as const;

export function drainModeOf({
  metadata,
  spec,
}: SendingPool): Pick<PoolWorld, 'drainMode' | 'drainModeFault'> {
  const wish = metadata.annotations?.[DRAIN_MODE_ANNOTATION];
  if (wish === undefined) return { drainMode: spec.drain.mode, drainModeFault: null };
  const drainMode = MODES.find((mode) => mode === wish);
  if (drainMode) return { drainMode, drainModeFault: null };
  return {
    drainMode: 'Wait',
    drainModeFault: `annotation ${DRAIN_MODE_ANNOTATION} is "${wish.slice(0, 40)}": write ${MODES.join(' or ')}, or remove it; until then the leaving pod delivers what it has`,
  };
}
