// postfleet complaint add
import { isIP } from 'node:net';
import type { Command } from 'commander';
import { Refusal } from '../gateway/refusal.ts';
import type { Bus } from '../mta/bus/client.ts';
import { fileComplaint } from '../mta/bus/complaint.ts';
import { FLEET_BUCKET } from '../mta/bus/names.ts';
import type { IPPoolSnapshot } from '../mta/bus/snapshot.ts';
import { withBus } from './bus.ts';
import { type Output, printJson, withOutput } from './output.ts';

export function registerComplaintCommands(program: Command): void {
  const complaint = program.command('complaint').description('what feedback loops of providers report');
  withOutput(complaint.command('add').argument('<address>').argument('<provider>').argument('<report...>'))
    .summary('counts complaints in the warm-up of an address')
    .description(
      'Counts complaints about mail from a source ADDRESS at a PROVIDER (as the status of its IPPool names it) in its warm-up. ' +
        'REPORT is an id of each, such as the Message-ID of the report: the same one again within a week is not counted again.',
    )
    .action(async (address: string, provider: string, reports: string[], { output }: { output: Output }) => {
      if (!isIP(address)) throw new Refusal(`"${address}" is no IP address`);
      const added = await withBus(async (bus) => {
        if (!(await isOurs(bus, address))) throw new Refusal(`no IPPool has the address ${address}`);
        const at = { version: 1 as const, address, provider: provider.toLowerCase() };
        const filed = [];
        for (const id of reports) filed.push(await fileComplaint(bus, { ...at, id }));
        return filed.filter(Boolean).length;
      });
      const result = { address, provider, given: reports.length, added };
      if (output === 'json') printJson(result);
      else console.log(`added ${added} of ${reports.length}`);
    });
}

async function isOurs(bus: Bus, address: string): Promise<boolean> {
  const kv = await bus.kv(FLEET_BUCKET);
  for await (const entry of await kv.history({ key: 'ippool.*' })) {
    if (entry.operation !== 'PUT') continue;
    if (entry.json<IPPoolSnapshot>().addresses.some((one) => one.address === address)) return true;
  }
  return false;
}
