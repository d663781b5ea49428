// Where our four kinds live in the API.
import { GROUP, VERSION } from '../../resources/kinds.ts';
import type { ResourceType } from '../runtime/objects.ts';

const ours = (plural: string): ResourceType => ({ group: GROUP, version: VERSION, plural, namespaced: true });

export const KINDS = {
  SendingPool: ours('sendingpools'),
  IPPool: ours('ippools'),
  QueuePolicy: ours('queuepolicies'),
  SendingDomain: ours('sendingdomains'),
} as const;
export type Kind = keyof typeof KINDS;
