// `make bench`: every bench, one after the other, and one table of their figures. `node bench/main.ts [name…]`
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';
import type { Figure } from './figures.ts';
import { enterOwnNetwork } from './namespace.ts';

const BENCHES = [
  'throughput',
  'spool',
  'spool-restart',
  'limits',
  'shared-limit',
  'connections',
  'handover',
  'spool-million',
];
const PEER = /^postfix_opendkim_/;

enterOwnNetwork();
const wanted = process.argv.length > 2 ? process.argv.slice(2) : BENCHES;
const figures = wanted.flatMap(run);
const rows = new Map<string, { ours?: number; peer?: number; unit: string }>();
for (const { figure, value, unit } of figures) {
  const name = figure.replace(PEER, '');
  rows.set(name, { ...rows.get(name), unit, [name === figure ? 'ours' : 'peer']: value });
}
const table = new Table({
  head: ['figure', 'Postfleet', 'Postfix with opendkim', 'unit'],
  style: { head: [], border: [] },
});
for (const [name, { ours, peer, unit }] of rows) table.push([name, ours ?? '', peer ?? '', unit]);
console.log(`\n${table.toString()}\n\nConditions`);
for (const conditions of new Set(figures.map((one) => one.conditions))) console.log(`  ${conditions}`);

/** Runs a bench in a process of its own; gives the figures it has added. Ends here when it fails. */
function run(name: string): Figure[] {
  const file = join(import.meta.dirname, 'out', `${name}.jsonl`);
  const before = lines(file).length;
  console.log(`\n── ${name}`);
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`)], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
  return lines(file)
    .slice(before)
    .map((line) => JSON.parse(line) as Figure);
}

function lines(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
}
