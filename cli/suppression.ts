// postfleet suppression add|remove|list
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { Refusal } from '../gateway/refusal.ts';
import { addSuppressed, listSuppressed, removeSuppressed } from '../gateway/suppression.ts';
import { parseAddress } from '../mta/message/addresses.ts';
import { withDatabase } from './database.ts';
import { type Output, printJson, printRows, withOutput } from './output.ts';

const MOST_FAULTS = 20;
const PAGE = 1000;

export function registerSuppressionCommands(program: Command): void {
  const suppression = program.command('suppression').description('addresses an account must not send to');
  change(suppression, 'add', 'adds addresses', addSuppressed);
  change(suppression, 'remove', 'removes addresses', removeSuppressed);
  withOutput(suppression.command('list').argument('<account>'))
    .option('--limit <n>', 'at most so many', (text) => Number.parseInt(text, 10), PAGE)
    .option('--after <address>', 'go on after this address of an earlier list')
    .description('lists addresses, in the order of their hash')
    .action(
      async (
        account: string,
        { limit, after, output }: { limit: number; after?: string; output: Output },
      ) => {
        if (!(limit > 0)) throw new Refusal('--limit must be a number above 0');
        const rows = await withDatabase((database) =>
          listSuppressed(database, account, after ?? null, limit),
        );
        printRows(rows, ['address', 'createdAt'], output);
      },
    );
}

interface Options {
  readonly file?: string;
  readonly output: Output;
}

function change(parent: Command, verb: 'add' | 'remove', does: string, act: typeof addSuppressed): void {
  withOutput(parent.command(verb).argument('<account>').argument('[address...]'))
    .option(
      '--file <path>',
      'one address a line; "-" is standard input; empty lines and lines with # are left out',
    )
    .description(`${does}: all of them or, when one is wrong, none`)
    .action(async (account: string, given: string[], { file, output }: Options) => {
      const addresses = checked([...given.map(argument), ...(file ? await lines(file) : [])]);
      if (addresses.length === 0) throw new Refusal('name an address, or a file with --file');
      const changed = await withDatabase((database) => act(database, account, addresses));
      const result = { account, given: addresses.length, changed };
      if (output === 'json') printJson(result);
      else console.log(`${verb === 'add' ? 'added' : 'removed'} ${changed} of ${addresses.length}`);
    });
}

/** An address and where it stands, for the message when it is wrong. */
interface Entry {
  readonly text: string;
  readonly where: string;
}

const argument = (text: string): Entry => ({ text, where: `"${text}"` });

async function lines(file: string): Promise<Entry[]> {
  const text = await readFile(file === '-' ? '/dev/stdin' : file, 'utf8').catch((error: Error) => {
    throw new Refusal(`${file} cannot be read: ${error.message}`);
  });
  return text
    .split(/\r?\n/)
    .map((line, i) => ({ text: line.trim(), where: `line ${i + 1} "${line.trim()}"` }))
    .filter(({ text }) => text !== '' && !text.startsWith('#'));
}

/** The addresses of the entries. @throws Refusal naming every wrong one (the first twenty), before anything is done. */
export function checked(entries: readonly Entry[]): string[] {
  const faults: string[] = [];
  const addresses = entries.flatMap(({ text, where }) => {
    const result = parseAddress(text);
    if (result.ok) return [result.address.text];
    faults.push(`  ${where}: ${result.message}`);
    return [];
  });
  if (faults.length === 0) return addresses;
  const more = faults.length > MOST_FAULTS ? [`  and ${faults.length - MOST_FAULTS} more`] : [];
  throw new Refusal(['nothing was changed:', ...faults.slice(0, MOST_FAULTS), ...more].join('\n'));
}
