// All faults, in the order of docs/faults.md.
import type { Fault } from '../fault.ts';
import { apiServerStopped } from './api-server.ts';
import { clocks } from './clock.ts';
import { deletions } from './delete-pod.ts';
import { disks } from './disk.ts';
import { drainWithoutOperator } from './drain-without-operator.ts';
import { egressMoves } from './egress-moves.ts';
import { failpoints } from './failpoint.ts';
import { leaseEndsAtFinalDot, noFinalReply, slowFinalDot } from './final-dot.ts';
import { kills } from './kill.ts';
import { killsOfAll } from './kill-all.ts';
import { natsLeader } from './nats-leader.ts';
import { natsRolling, natsTwoDown, natsTwoStopped } from './nats-majority.ts';
import { nodes } from './node.ts';
import { partitions } from './partition.ts';
import { postgresDown } from './postgres.ts';
import { natsRollsInDrain } from './roll-in-drain.ts';
import { scaleDownAndUp } from './scale.ts';
import { stops } from './stop.ts';
import { stopOwnerAndScale } from './stop-owner-and-scale.ts';

export const FAULTS: readonly Fault[] = [
  ...kills,
  ...killsOfAll,
  ...stops,
  stopOwnerAndScale,
  natsLeader,
  natsTwoStopped,
  natsTwoDown,
  natsRolling,
  natsRollsInDrain,
  postgresDown,
  apiServerStopped,
  ...partitions,
  slowFinalDot,
  noFinalReply,
  leaseEndsAtFinalDot,
  egressMoves,
  scaleDownAndUp,
  drainWithoutOperator,
  ...deletions,
  ...nodes,
  ...disks,
  ...clocks,
  ...failpoints,
];
