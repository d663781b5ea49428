import { queuePolicySpec } from '../../resources/kinds.ts';
import { providerOf } from './provider.ts';
import { SHIPPED_PROVIDERS } from './providers.ts';

const shaping = (given: unknown = {}) => queuePolicySpec.parse({ shaping: given }).shaping;
const nameOf = (domain: string, hosts: string[], given: unknown = {}) =>
  providerOf(shaping(given), domain, hosts).name;

test.each([
  ['gmail.com', ['gmail-smtp-in.l.google.com'], 'google'],
  ['customer.example', ['ASPMX.L.GOOGLE.COM.'], 'google'],
  ['customer.example', ['google.com'], 'google'],
  ['customer.example', ['mx.notgoogle.com'], 'notgoogle.com'],
  ['hotmail.com', ['hotmail-com.olc.protection.outlook.com'], 'microsoft'],
  ['customer.example', ['customer-example.mail.protection.outlook.com'], 'microsoft-365'],
  ['customer.example', ['customer-example.p-v1.mx.microsoft'], 'microsoft-365'],
  ['yahoo.com', ['mta5.am0.yahoodns.net'], 'yahoo'],
  ['customer.example', ['mx01.mail.icloud.com'], 'apple'],
  ['GMAIL.COM', [], 'google'],
])('%s at %j belongs to %s', (domain, hosts, name) => {
  expect(nameOf(domain, hosts)).toBe(name);
});

test.each([
  [['mx1.mx.example.net'], 'example.net'],
  [['mx2.mx.example.net'], 'example.net'],
  [['mx.example.co.uk'], 'example.co.uk'],
  [['mx.domain-7.test'], 'domain-7.test'],
  [['192.0.2.1'], '192.0.2.1'],
  [['mailhost'], 'mailhost'],
  [[], 'recipient.example'],
])('the site of unmatched hosts %j is %s', (hosts, site) => {
  expect(nameOf('recipient.example', hosts)).toBe(site);
});

test('a provider of the policy comes before a shipped one, by MX suffix or by domain', () => {
  const providers = [
    { name: 'partner', mxSuffixes: ['mx.partner.test'], limits: {} },
    { name: 'vip', domains: ['vip.example'], limits: { connections: 99 } },
  ];
  expect(nameOf('a.example', ['in.mx.partner.test'], { providers })).toBe('partner');
  expect(nameOf('a.example', ['xmx.partner.test'], { providers })).toBe('partner.test');
  expect(nameOf('vip.example', ['aspmx.l.google.com'], { providers })).toBe('vip');
});

test('limits: the default, over it what is shipped, over it what the policy states', () => {
  const given = {
    default: { connections: 7, messagesPerConnection: 77 },
    providers: [
      { name: 'google', mxSuffixes: ['google.com'], limits: { connections: 2 } },
      { name: 'own', domains: ['own.example'], limits: { messagesPerConnection: 5 } },
    ],
  };
  const limitsOf = (domain: string, host: string) => providerOf(shaping(given), domain, [host]).limits;
  expect(limitsOf('a.example', 'aspmx.l.google.com')).toEqual({ connections: 2, messagesPerConnection: 50 });
  expect(limitsOf('own.example', 'mx.own.example')).toEqual({ connections: 7, messagesPerConnection: 5 });
  expect(limitsOf('a.example', 'mx.a.example')).toEqual({ connections: 7, messagesPerConnection: 77 });
  expect(limitsOf('a.example', 'mta5.am0.yahoodns.net')).toEqual({
    connections: 10,
    messagesPerConnection: 20,
  });
});

test('a shipped provider that the policy only renames limits of is still found by its shipped suffixes', () => {
  const providers = [{ name: 'yahoo', limits: { connections: 1 } }];
  expect(providerOf(shaping({ providers }), 'a.example', ['mta5.am0.yahoodns.net'])).toEqual({
    name: 'yahoo',
    limits: { connections: 1, messagesPerConnection: 20 },
    isNamed: false,
  });
});

test('shipped names cannot be mistaken for a site: none has a dot', () => {
  expect(SHIPPED_PROVIDERS.filter(({ name }) => name.includes('.'))).toEqual([]);
});
