// What no SendingDomain can be.
import type { Refused } from './refused.fixture.ts';

const domain = (spec: object): object => ({ domain: 'a.example', poolRef: { name: 'demo' }, ...spec });

export const refusedSendingDomains: readonly Refused[] = [
  {
    what: 'a dedicated address that stands twice',
    spec: domain({ addresses: ['192.0.2.1', '192.0.2.2', '192.0.2.1'] }),
    says: ['spec.addresses', 'only once', '192.0.2.1'],
  },
  {
    what: 'another domain',
    old: domain({}),
    spec: domain({ domain: 'b.example' }),
    says: ['spec.domain', 'immutable', 'a.example to b.example'],
  },
  {
    what: 'something that is no domain',
    spec: domain({ domain: 'not a domain' }),
    says: ['spec.domain', 'not a domain'],
  },
  {
    what: 'a selector twice',
    spec: domain({ dkim: [{ selector: 'pf1' }, { selector: 'pf1', algorithm: 'Ed25519' }] }),
    says: ['spec.dkim', 'only once', 'pf1'],
  },
];
