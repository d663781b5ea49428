// The holder of an address hangs beyond its lease: the address moves to another node, and the old holder comes back believing it has it.
import { until } from '../../rig/process.ts';
import { between, type Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';

const MOVES = '198.51.100.12';
const WAIT_MS = 55_000;

interface Held {
  readonly address: string;
  readonly holder?: string;
}

async function holderOf(scene: Scene, address: string): Promise<string | undefined> {
  const { status } = JSON.parse(await scene.kubectl('get', 'ippool', 'demo', '-o', 'json')) as {
    status?: { addresses?: readonly Held[] };
  };
  return status?.addresses?.find((one) => one.address === address)?.holder;
}

export const egressMoves: Fault = {
  name: 'stop-holder-until-moved',
  what: 'SIGSTOP of the egress pod that holds a movable address until another has it, SIGCONT 5 to 15 s later',
  parts: ['egress', 'control', 'operator', 'nats'],
  mayRepeat: true,
  async inject(scene, random) {
    const holder = await holderOf(scene, MOVES);
    const victims = scene.processes('egress').filter(({ pod }) => pod === holder);
    if (victims.length === 0) throw new Error(`${MOVES} has no holder just now`);
    const undo = scene.stop(victims);
    const moved = async () => {
      const now = await holderOf(scene, MOVES);
      return now !== undefined && now !== holder && now;
    };
    try {
      const to = await until(`${MOVES} to move`, moved, WAIT_MS);
      return { detail: `${holder} → ${to}`, holdSeconds: between(random, 5, 15), undo };
    } catch (error) {
      await undo();
      throw error;
    }
  },
};
