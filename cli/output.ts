// `--output table|json` of the verbs that list or make something.
import Table from 'cli-table3';
import { type Command, Option } from 'commander';

export type Output = 'table' | 'json';

export const withOutput = (command: Command): Command =>
  command.addOption(new Option('-o, --output <format>').choices(['table', 'json']).default('table'));

/** Prints rows as a table with the given columns, or as JSON with all they have. */
export function printRows(rows: readonly object[], columns: readonly string[], output: Output): void {
  if (output === 'json') {
    printJson(rows);
    return;
  }
  const table = new Table({
    head: columns.map((column) => column.toUpperCase()),
    style: { head: [], border: [] },
  });
  for (const row of rows) {
    table.push(columns.map((column) => cell((row as Record<string, unknown>)[column])));
  }
  console.log(rows.length ? table.toString() : 'none');
}

export const printJson = (value: unknown): void => console.log(JSON.stringify(value, null, 2));

const cell = (value: unknown): string => (value instanceof Date ? value.toISOString() : String(value ?? ''));
