// SendingDomain: a domain of From addresses, who may use it, the pool that carries it and the keys that sign for it.
import { z } from 'zod';
import { commonStatus, hostname, name } from './fields.ts';
import { type Rule, unique } from './rule.ts';

const shape = z.object({
  domain: hostname().describe('The domain of the From address.'),
  poolRef: z.object({ name: name() }).describe('The SendingPool that carries its mail.'),
  accounts: z
    .array(name())
    .max(1000)
    .default([])
    .describe('Accounts that may send for it; empty: every account.'),
  addresses: z
    .array(z.string().max(45))
    .min(1)
    .max(64)
    .optional()
    .describe(
      "Dedicated addresses of the pool's IPPool: this domain's mail goes by these only, and by them only mail of domains that name them. Absent: all that no domain names.",
    ),
  returnPath: hostname()
    .optional()
    .describe('Domain of the envelope sender that Postfleet sets; absent: left as sent.'),
  dkim: z
    .array(
      z.object({
        selector: z
          .string()
          .max(63)
          .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
          .describe('The name before ._domainkey.'),
        algorithm: z.enum(['RSA', 'Ed25519']).default('RSA'),
        secretRef: z
          .object({
            name: z.string().min(1).max(253),
            key: z.string().min(1).max(253).default('private.pem'),
          })
          .optional()
          .describe('A given PKCS#8 or PKCS#1 PEM key; generated when absent.'),
      }),
    )
    .max(4)
    .default([{ selector: 'pf1', algorithm: 'RSA' }])
    .describe('Every key signs every message.'),
});

type Spec = z.infer<typeof shape>;

export const sendingDomainRules: readonly Rule<Spec>[] = [
  {
    fieldPath: '.domain',
    message: 'domain is immutable: make another SendingDomain',
    reason: 'FieldValueForbidden',
    rule: 'self.domain == oldSelf.domain',
    found: ['%s to %s', 'oldSelf.domain', 'self.domain'],
    fault: (spec, old) => (!old || spec.domain === old.domain ? null : `${old.domain} to ${spec.domain}`),
  },
  {
    fieldPath: '.addresses',
    message: 'a dedicated address may stand only once',
    rule: '!has(self.addresses) || self.addresses.all(a, self.addresses.exists_one(b, b == a))',
    found: ['%s', 'self.addresses.filter(a, !self.addresses.exists_one(b, b == a))[0]'],
    fault: ({ addresses = [] }) =>
      addresses.find((one) => addresses.indexOf(one) !== addresses.lastIndexOf(one)) ?? null,
  },
  unique('dkim', 'selector', 'each selector may stand only once', (spec) => spec.dkim),
];

export const sendingDomainSpec = shape.meta({ cel: sendingDomainRules });

export const sendingDomainStatus = z.object({
  ...commonStatus,
  records: z
    .array(
      z.object({
        name: z.string(),
        type: z.string(),
        value: z.string(),
        seen: z.enum(['Yes', 'No', 'Different', 'Unknown']),
      }),
    )
    .default([])
    .describe('The DNS records to publish, and whether each is seen.'),
  recordsSeen: z.string().optional().describe('Records seen as they should be, of all, as "2/3".'),
});

export type SendingDomainSpec = z.infer<typeof sendingDomainSpec>;
export type SendingDomainStatus = z.infer<typeof sendingDomainStatus>;
