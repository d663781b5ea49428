#!/usr/local/bin/node
import { Command } from 'commander';
import { SettingsError } from '../process/settings.ts';
import { heedTermination } from '../process/termination.ts';
import { registerAccountCommands } from './account.ts';
import { registerKeyCommands } from './key.ts';
import { registerRoles } from './roles.ts';
import { registerStatusCommand } from './status.ts';
import { registerSuppressionCommands } from './suppression.ts';

heedTermination();
const program = new Command('postfleet')
  .description('Outbound mail on Kubernetes')
  .version('0.1.0')
  .showHelpAfterError();
registerStatusCommand(program);
registerAccountCommands(program);
registerKeyCommands(program);
registerSuppressionCommands(program);
registerRoles(program);

try {
  await program.parseAsync();
} catch (error) {
  // People get the sentence; the stack is for defects of ours.
  const expected = error instanceof SettingsError || (error as { expected?: boolean }).expected === true;
  console.error(expected ? `postfleet: ${(error as Error).message}` : error);
  process.exit(1);
}
