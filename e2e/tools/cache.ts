// Where everything lives that outlasts a checkout: built programs, image layers, the state of local clusters.
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `$POSTFLEET_CACHE`, or `~/.cache/postfleet`. */
export const cacheFolder = (): string =>
  process.env.POSTFLEET_CACHE || join(homedir(), '.cache', 'postfleet');

/** Folder of the built programs: `kubectl`, `nats-server` and so on are links to `<program>-<version>`. */
export const binFolder = (): string => join(cacheFolder(), 'bin');

/** Absolute path of a built program. */
export const program = (name: string): string => join(binFolder(), name);
