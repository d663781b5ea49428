// Failpoints: named places between two durable steps, at which a test ends the process. docs/crash-points.md says for each what a crash there
// comes to, and a test walks through them. Off, a failpoint is one comparison.
//
// POSTFLEET_FAILPOINT=name[:nth][:action], several joined by commas. `nth` (1): at the nth time this process comes by, once. `action`: `kill` (the
// preset: SIGKILL), `stop` (SIGSTOP) or `error` (throws). Nothing is armed unless POSTFLEET_ALLOW_FAILPOINTS=yes says that it may be.
import { writeSync } from 'node:fs';
import { SettingsError } from './settings.ts';

/** Every failpoint, with what has and has not happened there. */
export const FAILPOINTS = {
  'ingress.before-publish': 'a message is signed, nothing of it is stored',
  'ingress.published': 'JetStream has confirmed a message, its client has no answer yet',
  'ingress.bounce-published': 'a notification is stored, the request for it is not acknowledged',
  'delivery.pulled': 'a parcel has been pulled that nobody here knew',
  'delivery.fast-attempt': 'a parcel in memory may be sent, the connection is asked for next',
  'delivery.final-dot': 'the final dot has been written, no reply is read',
  'delivery.fast-replied': 'the reply to a parcel in memory is read, nothing of it is recorded',
  'delivery.confirmed': 'the acknowledgement of a sent parcel is confirmed, its id is not written anywhere',
  'delivery.unconfirmed':
    'the acknowledgement of a sent parcel has not been confirmed, its end is not in the spool yet',
  'delivery.finished': 'the end of a sent parcel is in the spool, its acknowledgement is not confirmed',
  'delivery.spooling': 'a parcel is about to be written to the spool',
  'delivery.spooled': 'a parcel is in the spool, not acknowledged',
  'delivery.spool-attempt': 'a recipient in the spool may be sent to, the connection is asked for next',
  'delivery.spool-replied': 'the reply for a recipient in the spool is read, nothing of it is recorded',
  'delivery.recorded': 'the result for a recipient in the spool is recorded',
  'delivery.bounce-published':
    'the request for a bounce is confirmed, the end of its recipient is not recorded',
  'delivery.moving': 'a parcel is marked as moving, nothing is published',
  'delivery.transferred': 'a transfer is confirmed, the parcel is still here',
  'delivery.transfer-removed': 'a parcel that was handed over is removed here',
  'delivery.memory-before': 'acknowledged ids are about to be written for the next owner of their shard',
  'delivery.memory-written': 'acknowledged ids are durable for the next owner, the shard is not given up yet',
  'delivery.taken-over': 'the memory of a shard is read, nothing of the shard is pulled',
  'spool.before-write': 'a batch of changes is decided, nothing of it is on the disk',
  'spool.written': 'a batch of changes is on the disk, nobody has been told',
  'egress.granted': 'a connection is granted and made, the caller has no answer yet',
  'operator.before-assignment': 'an assignment is decided, not written',
  'operator.assignment-written': 'an assignment is written, nothing has been made of it',
  'operator.proven-empty': 'the volume of a pod that leaves is marked as empty, replicas are not lowered',
  'operator.scaled': 'replicas are lowered, nothing is reported',
} as const;
export type FailpointName = keyof typeof FAILPOINTS;

const ACTIONS = ['kill', 'stop', 'error'] as const;
export type FailpointAction = (typeof ACTIONS)[number];

/** What the action `error` throws. */
export class FailpointError extends Error {
  override readonly name = 'FailpointError';
}

interface Armed {
  readonly nth: number;
  readonly action: FailpointAction;
  reached: number;
}
let armed: Map<string, Armed> | null = null;

/** Does what is armed for this place; nothing, when nothing is. @throws FailpointError for the action `error` */
export function failpoint(name: FailpointName): void {
  if (armed !== null) reach(armed.get(name), name);
}

/** Arms what the environment says, in place of what was armed before; tells which. @throws SettingsError */
export function armFailpoints(env: NodeJS.ProcessEnv): readonly string[] {
  const text = env.POSTFLEET_FAILPOINT ?? '';
  armed = null;
  if (text === '') return [];
  if (env.POSTFLEET_ALLOW_FAILPOINTS !== 'yes')
    throw new SettingsError(
      `POSTFLEET_FAILPOINT="${text}" would end this process on purpose; it is for tests, and refused without POSTFLEET_ALLOW_FAILPOINTS=yes`,
    );
  const parsed = new Map(text.split(',').map(parse));
  armed = parsed;
  return [...parsed].map(([name, { nth, action }]) => `${name}:${nth}:${action}`);
}

function parse(text: string): [FailpointName, Armed] {
  const [name = '', ...rest] = text.trim().split(':');
  if (!isName(name))
    throw new SettingsError(`POSTFLEET_FAILPOINT: there is no failpoint "${name}"; there are: ${NAMES}`);
  const nth = rest.length > 0 && /^\d+$/.test(rest[0] ?? '') ? Number(rest.shift()) : 1;
  const action = rest.shift() ?? 'kill';
  if (nth < 1 || !isAction(action) || rest.length > 0)
    throw new SettingsError(
      `POSTFLEET_FAILPOINT: "${text}" is not name[:nth][:action] with nth from 1 on and action ${ACTIONS.join(', ')}`,
    );
  return [name, { nth, action, reached: 0 }];
}

const NAMES = Object.keys(FAILPOINTS).join(', ');
const isName = (text: string): text is FailpointName => Object.hasOwn(FAILPOINTS, text);
const isAction = (text: string): text is FailpointAction => ACTIONS.includes(text as FailpointAction);

function reach(place: Armed | undefined, name: FailpointName): void {
  if (!place || ++place.reached !== place.nth) return;
  // Past the logger, whose lines may be in a buffer that the kill empties.
  writeSync(2, `FAILPOINT ${name} reached for the ${place.nth}. time: ${place.action}\n`);
  if (place.action === 'error') throw new FailpointError(`failpoint ${name}`);
  process.kill(process.pid, place.action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  // The first process of a container cannot be killed by itself, by any signal: only a fault of its own ends it.
  if (place.action === 'kill') process.abort();
}
