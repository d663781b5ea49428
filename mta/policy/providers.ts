// Providers that are recognised without being named in a QueuePolicy. The MX suffixes are those the providers' own domains
// publish; the limits are deliberately modest starting points in the range that KumoMTA ships for the same providers
// (https://docs.kumomta.com/userguide/trafficshaping/shapingfiles/). A QueuePolicy provider of the same name overrides them.
import type { ProviderRule } from './provider.ts';

export const SHIPPED_PROVIDERS: readonly ProviderRule[] = [
  {
    // Gmail and Workspace. https://support.google.com/a/answer/174125 (MX records), /81126 (sender guidelines)
    name: 'google',
    mxSuffixes: ['google.com', 'googlemail.com'],
    domains: ['gmail.com', 'googlemail.com'],
    limits: { connections: 5, messagesPerConnection: 50 },
  },
  {
    // Yahoo and AOL. https://senders.yahooinc.com/best-practices/
    name: 'yahoo',
    mxSuffixes: ['yahoodns.net'],
    domains: ['yahoo.com', 'aol.com', 'ymail.com', 'rocketmail.com'],
    limits: { connections: 10, messagesPerConnection: 20 },
  },
  {
    // Consumer Outlook; before microsoft-365, whose suffix would match it too. https://sendersupport.olc.protection.outlook.com/pm/
    name: 'microsoft',
    mxSuffixes: ['olc.protection.outlook.com'],
    domains: ['outlook.com', 'hotmail.com', 'live.com', 'msn.com'],
    limits: { connections: 5, messagesPerConnection: 50 },
  },
  {
    // Exchange Online, with and without DANE. https://learn.microsoft.com/microsoft-365/enterprise/external-domain-name-system-records
    name: 'microsoft-365',
    mxSuffixes: ['mail.protection.outlook.com', 'mx.microsoft'],
    domains: [],
    limits: { connections: 5, messagesPerConnection: 50 },
  },
  {
    // iCloud Mail and its custom domains. https://support.apple.com/102322 (postmaster information)
    name: 'apple',
    mxSuffixes: ['mail.icloud.com'],
    domains: ['icloud.com', 'me.com', 'mac.com'],
    limits: { connections: 10, messagesPerConnection: 5 },
  },
  {
    // https://spa.xfinity.com/faq
    name: 'comcast',
    mxSuffixes: ['comcast.net'],
    domains: ['comcast.net'],
    limits: { connections: 25, messagesPerConnection: 1000 },
  },
  {
    // GMX, WEB.DE and mail.com. https://postmaster.gmx.net/en/
    name: 'united-internet',
    mxSuffixes: ['gmx.net', 'web.de', 'mail.com'],
    domains: ['gmx.de', 'gmx.net', 'web.de', 'mail.com'],
    limits: { connections: 5, messagesPerConnection: 50 },
  },
  {
    // Orange and Wanadoo, France: they refuse more than two connections at a time.
    name: 'orange',
    mxSuffixes: ['orange.fr', 'wanadoo.fr'],
    domains: ['orange.fr', 'wanadoo.fr'],
    limits: { connections: 2, messagesPerConnection: 100 },
  },
  {
    // Answers rate limits with 550 (see reply.ts). https://smtp.codes/qq
    name: 'qq',
    mxSuffixes: ['qq.com'],
    domains: ['qq.com', 'foxmail.com'],
    limits: { connections: 2, messagesPerConnection: 20 },
  },
];
