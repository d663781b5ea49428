// The stage that faults are tried on: a second node that can be lost, addresses that can move, volumes that can fail, clocks that can jump.
import { existsSync } from 'node:fs';
import { hasClock } from '../image/clock.ts';
import { raiseStage, type Stage } from '../stage/stage.ts';
import { SHAPING } from './limits.ts';

export const SECOND_NODE = 2;
const address = (last: number, more: object) => ({
  ...{ address: `198.51.100.${last}`, ehlo: `mta${last - 9}.demo.example` },
  ...more,
});
const ADDRESSES = [
  address(10, { node: 'node1' }),
  address(11, { node: `node${SECOND_NODE}` }),
  address(12, { movable: true }),
  address(13, { movable: true }),
];

/** What cannot be tried on this machine is said by the fault itself, and stands in the report. */
const volumes = existsSync('/dev/loop-control') ? 'disks' : 'folders';

export function raiseSite(name: string, onStep?: (step: string) => void): Promise<Stage> {
  return raiseStage({
    ...{ name, profile: 'ha', nodes: 2, heartOnFirst: true, volumes, clocks: hasClock() },
    homes: { '198.51.100.11': SECOND_NODE, '198.51.100.12': 'segment', '198.51.100.13': 'segment' },
    specs: {
      IPPool: { addresses: ADDRESSES, placement: { interface: 'eth0' } },
      // Nothing expires within a run, not even by a clock that is hours ahead.
      QueuePolicy: { retry: { intervals: ['5s', '10s', '20s', '30s'], maxAge: '2d' }, shaping: SHAPING },
      SendingPool: { storage: { size: '512Mi' } },
    },
    ...(onStep ? { onStep } : {}),
  });
}
