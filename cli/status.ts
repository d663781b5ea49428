// `postfleet status`: the fleet at a glance in the terminal, the same figures as the dashboard.
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { currentCluster } from './status/collect.ts';
import { renderPool } from './status/render.ts';
import { poolReport, warmupRows } from './status/report.ts';

interface Options {
  readonly namespace: string;
  readonly seconds: string;
  readonly output: string;
}

/** Adds `status [POOL]`. */
export function registerStatusCommand(program: Command): void {
  program
    .command('status')
    .summary('what the fleet is doing')
    .description(
      'Shows each SendingPool: its pods and queues, mail per second by provider and by source address, the warm-up of its addresses, and a drain under way.',
    )
    .argument('[pool]', 'only this SendingPool')
    .option('-n, --namespace <namespace>', 'namespace of the pools', 'postfleet')
    .option('--seconds <seconds>', 'rates are measured over this time', '2')
    .option('-o, --output <form>', 'text or json', 'text')
    .action(showStatus);
}

async function showStatus(pool: string | undefined, options: Options): Promise<void> {
  const seconds = Number(options.seconds);
  if (!(seconds > 0 && seconds <= 300))
    throw expected(`--seconds ${options.seconds}: give a number over 0 and up to 300`);
  const cluster = currentCluster();
  try {
    const before = await cluster.scrape(options.namespace);
    const started = performance.now();
    await delay(seconds * 1000);
    const after = await cluster.scrape(options.namespace);
    const elapsed = (performance.now() - started) / 1000;
    const pools = (await cluster.pools(options.namespace)).filter(
      ({ metadata }) => !pool || metadata.name === pool,
    );
    if (!pools.length)
      throw expected(`no SendingPool ${pool ? `"${pool}" ` : ''}in namespace ${options.namespace}`);
    const ipPools = await cluster.ipPools(options.namespace);
    const reports = pools.map((one) => ({
      ...poolReport(one, before, after, elapsed),
      warmup: warmupRows(one, ipPools),
    }));
    console.log(
      options.output === 'json' ? JSON.stringify(reports, null, 2) : reports.map(renderPool).join('\n\n'),
    );
  } finally {
    await cluster.close();
  }
}

const expected = (message: string) => Object.assign(new Error(message), { expected: true });
