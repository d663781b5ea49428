// What no QueuePolicy can be.
import type { Refused } from './refused.fixture.ts';

const provider = (name: string, more: object = { domains: ['a.example'] }): object => ({
  name,
  limits: {},
  ...more,
});

export const refusedQueuePolicies: readonly Refused[] = [
  {
    what: 'a negative limit',
    spec: { shaping: { default: { connections: -5 } } },
    says: ['spec.shaping.default.connections', '-5'],
  },
  {
    what: 'a limit of no connection',
    spec: { shaping: { default: { connections: 0 } } },
    says: ['spec.shaping.default.connections', '0'],
  },
  {
    what: 'a limit of no message in a connection',
    spec: { shaping: { default: { messagesPerConnection: 0 } } },
    says: ['spec.shaping.default.messagesPerConnection', '0'],
  },
  {
    what: 'a limit of no message in a minute',
    spec: { shaping: { default: { perMinute: 0 } } },
    says: ['spec.shaping.default.perMinute', '0'],
  },
  {
    what: 'an interval that is no duration',
    spec: { retry: { intervals: ['5w'] } },
    says: ['spec.retry.intervals', '5w'],
  },
  {
    what: 'an interval beyond the maximum age',
    spec: { retry: { intervals: ['5m', '2d'], maxAge: '47h' } },
    says: ['spec.retry.intervals', 'shorter than maxAge', '2d of 47h'],
  },
  {
    what: 'a provider twice',
    spec: { shaping: { providers: [provider('google'), provider('google')] } },
    says: ['spec.shaping.providers', 'only once', 'google'],
  },
  {
    what: 'a provider that matches nothing',
    spec: { shaping: { providers: [provider('google', {})] } },
    says: ['spec.shaping.providers', 'match nothing', 'google'],
  },
];
