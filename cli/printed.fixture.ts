// Runs verbs of the command line in the process of a test.
import { jest } from '@jest/globals';
import { Command } from 'commander';

/** Gives a `postfleet` that has these verbs and answers with what it printed. */
export const printing =
  (...verbs: readonly ((program: Command) => void)[]) =>
  async (...args: string[]): Promise<string> => {
    const program = new Command('postfleet').exitOverride();
    for (const register of verbs) register(program);
    const print = jest.spyOn(console, 'log').mockImplementation(() => {});
    try {
      await program.parseAsync(args, { from: 'user' });
      return print.mock.calls.map(([line]) => String(line)).join('\n');
    } finally {
      print.mockRestore();
    }
  };
