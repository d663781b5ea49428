// `node e2e/cluster/main.ts up [--nodes N] | down | status | kubeconfig | import-image TAR…`
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { type Cluster, openCluster } from './index.ts';

function count(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('a whole number from 1 on');
  return Number(text);
}

async function status(cluster: Cluster): Promise<void> {
  const up = await cluster.isUp();
  console.log(up ? 'up' : cluster.leftovers().length > 0 ? 'broken: up repairs it, down removes it' : 'down');
  if (up) process.stdout.write(await cluster.kubectl(['get', 'nodes', '-o', 'wide']));
  else process.exitCode = 1;
}

const program = new Command('cluster')
  .description("this checkout's Kubernetes, or with CLUSTER=existing that of KUBECONFIG")
  .option('--name <name>', 'another one beside the default', '');
const cluster = () => openCluster(program.opts<{ name: string }>().name);

program
  .command('up')
  .option('--nodes <count>', 'how many nodes (default: as many as it has, or 1)', count)
  .action(async (options: { readonly nodes?: number }) => {
    await cluster().up(options);
    console.log(`KUBECONFIG=${cluster().kubeconfig}`);
  });
program.command('down').action(() => cluster().down());
program.command('status').action(() => status(cluster()));
program.command('kubeconfig').action(() => console.log(cluster().kubeconfig));
program
  .command('import-image')
  .argument('<tar...>')
  .action(async (files: readonly string[]) => {
    for (const file of files) await cluster().importArchive(resolve(file));
  });

await program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
