// What a SendingPool and its operator say of themselves, beyond what kubectl shows at once.
import { metric } from '../faults/reported.ts';
import type { Scene } from '../faults/scene.ts';

export interface PoolStatus {
  readonly backlog?: number;
  readonly members?: readonly { readonly pod: string; readonly queued: number }[];
  readonly deletion?: { readonly step: string; readonly left?: number; readonly since: string };
  readonly stranded?: readonly {
    readonly pod: string;
    readonly volume: string;
    readonly why: string;
    readonly queued?: number;
  }[];
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
}

/** Asks the operator for a metric, summed over its labels. */
export const askOperator =
  (scene: Scene) =>
  async (name: string): Promise<number> => {
    const [operator] = scene.processes('operator');
    return metric(await scene.ask(`${operator?.pod}:9090`, '/metrics'), name);
  };

interface Jsz {
  readonly account_details?: readonly { readonly stream_detail?: readonly { readonly name: string }[] }[];
}

/** The names of all streams in NATS. */
export async function streamsOf(scene: Scene): Promise<string[]> {
  const [server] = scene.processes('nats');
  const answer = await scene.ask(`https:${server?.pod}:8222`, '/jsz?accounts=true&streams=true');
  const { account_details = [] } = JSON.parse(answer) as Jsz;
  return account_details.flatMap(({ stream_detail = [] }) => stream_detail.map(({ name }) => name));
}
