// postfleet key create|list|revoke
import type { Command } from 'commander';
import { createKey, listKeys, revokeKey } from '../gateway/keys.ts';
import { withDatabase } from './database.ts';
import { type Output, printJson, printRows, withOutput } from './output.ts';

export function registerKeyCommands(program: Command): void {
  const key = program.command('key').description('keys: the credentials of an account');
  withOutput(key.command('create').argument('<account>'))
    .option('--name <name>', 'for people to know it by', '')
    .description('makes a key and shows it, this once')
    .action(async (account: string, { name, output }: { name: string; output: Output }) => {
      const made = await withDatabase((database) => createKey(database, account, name));
      if (output === 'json') return printJson(made);
      console.log(`key ${made.id} of account ${account}; it is shown only now:\n\n  ${made.token}\n`);
      console.log(`SMTP: user ${made.id}, password the key. HTTP: Authorization: Bearer <key>.`);
    });
  withOutput(key.command('list').argument('[account]'))
    .description('lists keys, of one account or all')
    .action(async (account: string | undefined, { output }: { output: Output }) => {
      const keys = await withDatabase((database) => listKeys(database, account ?? null));
      printRows(keys, ['id', 'account', 'name', 'last4', 'createdAt', 'revokedAt'], output);
    });
  key
    .command('revoke')
    .argument('<id>')
    .description('revokes a key; ingress follows within 10 seconds')
    .action(async (id: string) => {
      await withDatabase((database) => revokeKey(database, id));
      console.log(`key ${id} revoked`);
    });
}
