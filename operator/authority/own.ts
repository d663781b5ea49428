// The operator's own certificate, which nobody else can give it: issued here, written where its clients read it.

import { renewalTime, validityOf } from '../../process/identity/credentials.ts';
import { writeCredentials } from '../../process/identity/folder.ts';
import type { Identity } from '../../process/identity/name.ts';
import { log as rootLog } from '../../process/log.ts';
import { type Clock, type Random, systemClock } from '../runtime/clock.ts';
import type { Authority, Credentials } from './authority.ts';
import { serviceHosts } from './server-certificates.ts';

export interface OwnIdentityOptions {
  readonly authority: Authority;
  readonly identity: Identity;
  /** POSTFLEET_IDENTITY_DIR */
  readonly folder: string;
  readonly onRenewed?: (credentials: Credentials) => void;
  readonly clock?: Clock;
  readonly random?: Random;
}

const LOOK_MS = 60_000;

/** Writes the operator's credentials to its folder and renews them at two thirds of their life. */
export async function keepOwnIdentity(
  options: OwnIdentityOptions,
): Promise<{ readonly credentials: Credentials; stop(): void }> {
  const { clock = systemClock, random = Math.random, onRenewed } = options;
  let credentials = await issueOwn(options, clock);
  let due = renewalTime(validityOf(credentials), random());
  let cancel = () => {};
  let stopped = false;
  const look = () => {
    if (stopped) return;
    cancel = clock.after(LOOK_MS, () => void renewIfDue().catch(report).finally(look));
  };
  const renewIfDue = async () => {
    if (clock.now() < due) return;
    credentials = await issueOwn(options, clock);
    due = renewalTime(validityOf(credentials), random());
    onRenewed?.(credentials);
  };
  look();
  return {
    get credentials() {
      return credentials;
    },
    stop: () => {
      stopped = true;
      cancel();
    },
  };
}

async function issueOwn(
  { authority, identity, folder }: OwnIdentityOptions,
  clock: Clock,
): Promise<Credentials> {
  const hosts = serviceHosts('postfleet-operator', identity.namespace);
  const credentials = await authority.issueFor(identity, { hosts, now: clock.now() });
  await writeCredentials(folder, credentials);
  return credentials;
}

const report = (error: unknown): void =>
  rootLog.error({ err: error }, 'could not renew the operator’s certificate');
