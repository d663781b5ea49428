// What the role is given from outside: everything that has a life of its own, or that a test has otherwise.
import type { Readiness } from '../../process/health.ts';
import type { Credentials } from '../../process/identity/credentials.ts';
import type { Bus } from '../bus/client.ts';
import type { AddressLease } from '../bus/snapshot.ts';
import type { Clock } from './clock.ts';
import type { DialOptions } from './dial.ts';
import type { LeaseTimes } from './hold.ts';
import type { EgressSettings } from './settings.ts';

export interface RoleParts {
  readonly settings: Pick<
    EgressSettings,
    | 'POSTFLEET_IP_POOL'
    | 'POSTFLEET_EGRESS_HOST'
    | 'POSTFLEET_EGRESS_PORT'
    | 'POSTFLEET_ALLOWED_DESTINATIONS'
    | 'POSTFLEET_POD_NAME'
    | 'POSTFLEET_POD_UID'
    | 'POSTFLEET_NODE_NAME'
  >;
  /** The pod's certificate, as it is now. */
  readonly tls: () => Credentials;
  readonly bus: Pick<Bus, 'kv' | 'obstacle'>;
  readonly resolve: DialOptions['resolve'];
  readonly readiness: Readiness;
  readonly clock: Clock;
  readonly times: LeaseTimes;
  readonly connectTimeoutMs: number;
  readonly idleMs: number;
  readonly halfClosedMs: number;
}

/** This pod, as leases name it. */
export const holderOf = ({ settings }: RoleParts, port: number): AddressLease['holder'] => ({
  pod: settings.POSTFLEET_POD_NAME,
  uid: settings.POSTFLEET_POD_UID,
  node: settings.POSTFLEET_NODE_NAME,
  host: settings.POSTFLEET_EGRESS_HOST,
  port,
});
