#!/usr/local/bin/node
import { Command } from 'commander';
import { armFailpoints } from '../process/failpoint.ts';
import { log } from '../process/log.ts';
import { SettingsError } from '../process/settings.ts';
import { heedTermination } from '../process/termination.ts';
import { registerAccountCommands } from './account.ts';
import { registerComplaintCommands } from './complaint.ts';
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
registerComplaintCommands(program);
registerRoles(program);

try {
  const failpoints = armFailpoints(process.env);
  if (failpoints.length > 0)
    log.fatal({ failpoints }, 'FAILPOINTS ARE ARMED: this process ends itself on purpose');
  await program.parseAsync();
} catch (error) {
  // People get the sentence; the stack is for defects of ours.
  const expected = error instanceof SettingsError || (error as { expected?: boolean }).expected === true;
  console.error(expected ? `postfleet: ${(error as Error).message}` : error);
  process.exit(1);
}
