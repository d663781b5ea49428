// postfleet account create|list
import type { Command } from 'commander';
import { createAccount, listAccounts } from '../gateway/accounts.ts';
import { withDatabase } from './database.ts';
import { type Output, printJson, printRows, withOutput } from './output.ts';

export function registerAccountCommands(program: Command): void {
  const account = program.command('account').description('accounts: who may send');
  withOutput(account.command('create').argument('<name>', 'lower-case letters, digits and "-"'))
    .description('makes an account')
    .action(async (name: string, { output }: { output: Output }) => {
      const made = await withDatabase((database) => createAccount(database, name));
      if (output === 'json') printJson(made);
      else console.log(`account ${made.name} made; next: postfleet key create ${made.name}`);
    });
  withOutput(account.command('list'))
    .description('lists accounts')
    .action(async ({ output }: { output: Output }) => {
      printRows(await withDatabase(listAccounts), ['name', 'createdAt'], output);
    });
}
