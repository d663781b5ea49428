// What reconciles work with. One object, made in main.ts.
import type { ConditionType, Reason } from '../../resources/reasons.ts';
import type { Installation } from '../desired/settings.ts';
import type { StreamProfile } from '../nats/configs.ts';
import type { BusState } from '../nats/link.ts';
import type { AddressWatcher } from '../observe/address-dns.ts';
import type { Caches } from '../observe/caches.ts';
import type { RecordWatcher } from '../observe/dns.ts';
import type { AskStatement } from '../observe/statement.ts';
import type { AnyObject, Key } from '../runtime/objects.ts';
import type { KubeApi } from '../runtime/transport.ts';
import type { Applier } from './apply.ts';
import type { Findings } from './findings.ts';

export type { BusState };

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
  readonly addressDns: Pick<AddressWatcher, 'records' | 'listings'>;
  readonly findings: Findings;
  /** Tells people; never fails a reconcile. */
  readonly tell: (about: AnyObject, event: EventNote) => void;
  /** The key under which ingress opens DKIM keys. */
  readonly sealingKey: Uint8Array;
  readonly now: () => number;
  /** Has the reporting reconcile of a resource run again, after the fleet reconcile has found something. */
  readonly wakeReport: (kind: 'SendingPool' | 'IPPool', key: Key) => void;
  /** Has the fleet reconcile of a resource run, after its spec has changed. */
  readonly wakeFleet: (kind: 'SendingPool' | 'IPPool', key: Key) => void;
}
