// Specs that the API server must refuse, and reconcile with the same sentence: a table for each kind.
import type { Definition } from './definitions.ts';
import { refusedIPPools } from './ippool.fixture.ts';
import { refusedQueuePolicies } from './queuepolicy.fixture.ts';
import { refusedSendingDomains } from './sendingdomain.fixture.ts';
import { refusedSendingPools } from './sendingpool.fixture.ts';

export interface Refused {
  readonly what: string;
  /** As it stands before, when it is the change that is refused. */
  readonly old?: object;
  readonly spec: object;
  /** What the API server's message must say. */
  readonly says: readonly string[];
}

export const refused: Readonly<Record<Definition['kind'], readonly Refused[]>> = {
  SendingPool: refusedSendingPools,
  IPPool: refusedIPPools,
  QueuePolicy: refusedQueuePolicies,
  SendingDomain: refusedSendingDomains,
};
