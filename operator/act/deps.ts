// What reconciles work with. One object, made in main.ts.
import type { Bus } from '../../mta/bus/client.ts';
import type { ConditionType, Reason } from '../../resources/reasons.ts';
import type { Installation } from '../desired/settings.ts';
import type { StreamProfile } from '../nats/configs.ts';
import type { FleetStore } from '../nats/fleet-store.ts';
import type { Caches } from '../observe/caches.ts';
import type { RecordWatcher } from '../observe/dns.ts';
import type { AskStatement } from '../observe/statement.ts';
import type { AnyObject, Key } from '../runtime/objects.ts';
import type { KubeApi } from '../runtime/transport.ts';
import type { Applier } from './apply.ts';
import type { Findings } from './findings.ts';

/** NATS as far as it is connected and proven durable. */
export type BusState =
  | { readonly kind: 'Up'; readonly bus: Bus; readonly store: FleetStore }
  | { readonly kind: 'Down'; readonly obstacle: string };

export interface EventNote {
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason | ConditionType;
  readonly action: string;
  readonly note: string;
}

export interface Deps {
  readonly api: KubeApi;
  readonly caches: Caches;
  readonly applier: Applier;
  readonly installation: Installation;
  readonly streamProfile: StreamProfile;
  readonly bus: () => BusState;
  readonly ask: AskStatement;
  readonly dns: Pick<RecordWatcher, 'look'>;
  readonly findings: Findings;
  /** Tells people; never fails a reconcile. */
  readonly tell: (about: AnyObject, event: EventNote) => void;
  /** The key under which ingress opens DKIM keys. */
  readonly sealingKey: Uint8Array;
  readonly now: () => number;
  /** Has the reporting reconcile of a resource run again. */
  readonly wakeReport: (kind: 'SendingPool' | 'IPPool' | 'SendingDomain', key: Key) => void;
}
