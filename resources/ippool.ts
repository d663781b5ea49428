// IPPool: source addresses, which outlive every pod, and their warm-up.
import { z } from 'zod';
import { isNetwork, isSourceAddress } from './address.ts';
import { commonStatus, hostname, stringMap } from './fields.ts';
import { each, type Rule, unique } from './rule.ts';
import { warmupRules, warmupSpec } from './warmup.ts';

/** `YYYY-MM-DD`; the API server knows the format `date`. */
const calendarDay = () =>
  z
    .string()
    .max(10)
    .regex(/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/)
    .meta({ format: 'date' })
    .refine(
      (text) => new Date(`${text}T00:00:00Z`).toJSON()?.startsWith(text) === true,
      'no day of the calendar',
    );

const shape = z.object({
  addresses: z
    .array(
      z.object({
        address: z.string().max(45).describe('The source address, IPv4 or IPv6, as the world sees it.'),
        ehlo: hostname().describe('The name said in EHLO; its A or AAAA record should be this address.'),
        bindAddress: z
          .string()
          .max(45)
          .optional()
          .describe('The local address to bind when it differs (1:1 NAT).'),
        movable: z
          .boolean()
          .default(false)
          .describe(
            'Whether any node of the placement can have it: with `placement.interface` or `placement.segment` its egress pod brings it up itself.',
          ),
        node: z
          .string()
          .max(253)
          .regex(/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/)
          .optional()
          .describe(
            'The node that has it. Without it: nodes annotated `postfleet.io/addresses`, or else whichever has it on an interface.',
          ),
        state: z
          .enum(['Active', 'Draining'])
          .default('Active')
          .describe('Draining: no new connections; open ones end, and then it is free (status `Drained`).'),
        weight: z.int().min(0).max(1000).default(100).describe('Its share of the mail; 0 drains it.'),
        warmed: z
          .boolean()
          .optional()
          .describe(
            'It has a reputation already: no warm-up for it. Absent: it is warmed up, if the pool does that.',
          ),
        startedOn: calendarDay()
          .optional()
          .describe(
            'When it began to send elsewhere, as YYYY-MM-DD: its warm-up goes on from there. It only counts for a provider that this address has no ledger for.',
          ),
      }),
    )
    .min(1)
    .max(256)
    .describe('The addresses this pool owns; an address belongs to one IPPool.'),
  warmup: warmupSpec
    .optional()
    .describe('Warm-up of young addresses; absent: every address counts as warmed.'),
  blocklists: z
    .array(hostname())
    .max(8)
    .optional()
    .describe(
      'Zones of DNS blocklists to look for the addresses in, every half hour; absent: none. Mind the terms of each list.',
    ),
  placement: z
    .object({
      nodeSelector: stringMap(16, 63).default({}).describe('Nodes that have the addresses.'),
      hostNetwork: z
        .boolean()
        .default(true)
        .describe("Egress needs the host's network to bind its addresses."),
      maxAddressesPerNode: z
        .int()
        .min(1)
        .max(256)
        .optional()
        .describe('How many addresses of this pool one node can hold; absent: any number.'),
      interface: z
        .string()
        .max(15)
        .regex(/^[A-Za-z0-9._-]+$/)
        .optional()
        .describe(
          'Interface of the nodes on which egress brings up movable addresses. Its pods then have NET_ADMIN and NET_RAW.',
        ),
      segment: z
        .string()
        .max(43)
        .optional()
        .describe('The same, by a network (CIDR): the interface that has an address of it.'),
    })
    .prefault({}),
});

type Spec = z.infer<typeof shape>;

export const ipPoolRules: readonly Rule<Spec>[] = [
  each({
    list: 'addresses',
    message:
      'every address must be a unicast IPv4 or IPv6 address in its shortest form (lower case, no leading zeros)',
    cel: 'isIP(a.address) && ip.isCanonical(a.address) && ip(a.address).isGlobalUnicast()',
    found: '.address',
    items: (spec) => spec.addresses,
    holds: (item) => isSourceAddress(item.address),
    show: (item) => item.address,
  }),
  each({
    list: 'addresses',
    message: 'every bindAddress must be an IPv4 or IPv6 address in its shortest form',
    cel: '!has(a.bindAddress) || (isIP(a.bindAddress) && ip.isCanonical(a.bindAddress) && ip(a.bindAddress).isGlobalUnicast())',
    found: '.bindAddress',
    items: (spec) => spec.addresses,
    holds: (item) => item.bindAddress === undefined || isSourceAddress(item.bindAddress),
    show: (item) => item.bindAddress ?? '',
  }),
  unique('addresses', 'address', 'an address may stand in an IPPool only once', (spec) => spec.addresses),
  each({
    list: 'addresses',
    message: 'a movable address belongs to no node: take out node, or movable',
    cel: '!has(a.node) || !a.movable',
    found: '.address',
    items: (spec) => spec.addresses,
    holds: (item) => item.node === undefined || !item.movable,
    show: (item) => item.address,
  }),
  {
    fieldPath: '.placement.segment',
    message: 'placement.segment must be a network such as 198.51.100.0/24 or 2001:db8::/64',
    rule: '!has(self.placement.segment) || isCIDR(self.placement.segment)',
    found: ['%s', 'self.placement.segment'],
    fault: ({ placement: { segment } }) => (segment === undefined || isNetwork(segment) ? null : segment),
  },
  {
    fieldPath: '.placement',
    message: "placement.interface and placement.segment are of the node: they need the host's network",
    rule: 'self.placement.hostNetwork || (!has(self.placement.interface) && !has(self.placement.segment))',
    found: ['hostNetwork: %s', "self.placement.hostNetwork ? 'true' : 'false'"],
    fault: ({ placement: p }) =>
      p.hostNetwork || (p.interface === undefined && p.segment === undefined) ? null : 'hostNetwork: false',
  },
  each({
    list: 'addresses',
    message: 'an address is either warmed or has begun some day (startedOn), not both',
    cel: '!(has(a.startedOn) && has(a.warmed) && a.warmed)',
    found: '.address',
    items: (spec) => spec.addresses,
    holds: (item) => !(item.warmed && item.startedOn),
    show: (item) => item.address,
  }),
  ...warmupRules,
];

export const ipPoolSpec = shape.meta({ cel: ipPoolRules });

export const ipPoolStatus = z.object({
  ...commonStatus,
  addresses: z
    .array(
      z.object({
        address: z.string(),
        holder: z.string().optional().describe('The egress pod that holds it.'),
        node: z.string().optional().describe('The node of its holder, or the one it is to go to.'),
        state: z.enum(['Held', 'Unplaced', 'Draining', 'Drained', 'Unfit']),
        reason: z.string().optional().describe('Why it is not simply held (docs/operations.md).'),
        message: z.string().optional(),
        names: z
          .enum(['Confirmed', 'NoReverse', 'OtherReverse', 'NoForward', 'OtherForward', 'Unknown'])
          .optional()
          .describe('Whether its PTR record says its EHLO name, and that leads back to it.'),
        reverse: z.string().optional().describe('What its PTR record says.'),
        listedAt: z.array(z.string()).optional().describe('DNS blocklists that have it.'),
        warmup: z
          .array(
            z.object({
              provider: z.string(),
              day: z.int().describe('The day of its schedule that the address stands at.'),
              allowance: z.int().optional().describe('Recipients a day; absent: no limit any more.'),
              used: z.int().describe('Accepted today, as far as it was reported.'),
              suspended: z.string().optional().describe('Why nothing more is sent today, with the reply.'),
              verdict: z
                .enum(['Hold', 'StepBack'])
                .optional()
                .describe('How the last day with mail was judged, if it was not a good one.'),
              because: z.string().optional().describe('What that verdict came of.'),
            }),
          )
          .optional()
          .describe('By provider, those that get most.'),
      }),
    )
    .default([]),
  warming: z.string().optional().describe('Addresses that warm-up still limits somewhere, of all, as "2/4".'),
  suspended: z.string().optional().describe('Addresses that warm-up has stopped for today somewhere.'),
  held: z.string().optional().describe('Held addresses of all, as "3/4".'),
});

/** Whether egress brings up movable addresses itself, and so needs the rights to. */
export function bringsUp({ addresses, placement }: Spec): boolean {
  const where = placement.interface ?? placement.segment;
  return where !== undefined && addresses.some(({ movable }) => movable);
}

export type IPPoolSpec = z.infer<typeof ipPoolSpec>;
export type IPPoolStatus = z.infer<typeof ipPoolStatus>;
