// Resources for tests: as the API server would give them, defaults filled in.
import {
  API_VERSION,
  ipPoolSpec,
  queuePolicySpec,
  sendingDomainSpec,
  sendingPoolSpec,
} from '../../resources/kinds.ts';
import type { IPPool, ObjectMeta, QueuePolicy, SendingDomain, SendingPool } from '../observe/resources.ts';
import type { Installation } from './settings.ts';

export const installation: Installation = {
  namespace: 'mail',
  egressNamespace: 'mail-egress',
  image: 'example.org/postfleet:test',
  imagePullPolicy: 'IfNotPresent',
  natsUrl: ['tls://postfleet-nats:4222'],
  natsReplicas: 1,
  natsMonitorUrl: 'https://{host}:8222',
  databaseSecret: 'postfleet-database',
  identityUrl: 'https://postfleet-operator.mail.svc:8443',
  dnsServers: [],
  allowedDestinations: [],
};

const meta = (name: string, over: Partial<ObjectMeta> = {}): ObjectMeta => ({
  name,
  namespace: 'mail',
  uid: `uid-${name}`,
  resourceVersion: '1',
  generation: 1,
  ...over,
});

const made = <S>(kind: string, name: string, spec: S, over?: Partial<ObjectMeta>) => ({
  apiVersion: API_VERSION,
  kind,
  metadata: meta(name, over),
  spec,
});

export const samplePool = (spec: object = {}, over?: Partial<ObjectMeta>): SendingPool =>
  made(
    'SendingPool',
    'demo',
    sendingPoolSpec.parse({ replicas: 3, ipPoolRef: { name: 'main' }, ...spec }),
    over,
  );

export const sampleIPPool = (spec: object = {}, over?: Partial<ObjectMeta>): IPPool => {
  const addresses = [{ address: '192.0.2.1', ehlo: 'm1.example.org' }];
  return made('IPPool', over?.name ?? 'main', ipPoolSpec.parse({ addresses, ...spec }), over);
};

export const samplePolicy = (spec: object = {}, over?: Partial<ObjectMeta>): QueuePolicy =>
  made('QueuePolicy', over?.name ?? 'gentle', queuePolicySpec.parse(spec), over);

export const sampleDomain = (spec: object = {}, over?: Partial<ObjectMeta>): SendingDomain => {
  const full = { domain: 'example.org', poolRef: { name: 'demo' }, ...spec };
  return made('SendingDomain', over?.name ?? 'example', sendingDomainSpec.parse(full), over);
};
