import { type Candidate, type OverflowPolicy, routeFor } from './overflow.ts';

const END = 1000;
const base = { endsAt: END, blocked: false };
const young: Candidate = { ...base, address: 'young', warmed: false, room: 60, allowance: 100 };
const spent: Candidate = { ...young, address: 'spent', room: 0, endsAt: 900 };
const old: Candidate = { ...base, address: 'old', warmed: true, room: Infinity, allowance: Infinity };
const full: Candidate = { ...old, address: 'full', room: 0, allowance: 50 };
const warmed: OverflowPolicy = { overflow: 'Warmed', engagedFirst: false };
const wait: OverflowPolicy = { overflow: 'Wait', engagedFirst: false };
const engagedFirst: OverflowPolicy = { overflow: 'Warmed', engagedFirst: true };
const use = (...addresses: string[]) => ({ kind: 'Use', addresses });

test.each([
  ['the allowance of young addresses is used first', false, [young, old], warmed, 0.5, use('young')],
  ['beyond it mail goes over warmed addresses', false, [spent, old], warmed, 0.5, use('old')],
  ['or waits, when the pool says so', false, [spent, old], wait, 0.5, { kind: 'Wait', until: 900 }],
  ['a pool without young addresses has no overflow', false, [old], wait, 0.5, use('old')],
  ['no warmed address: it waits for the next day', false, [spent], warmed, 0.5, { kind: 'Wait', until: 900 }],
  ['a warmed address may be full, too', false, [spent, full], warmed, 0.5, { kind: 'Wait', until: 900 }],
  ['engaged mail warms up', true, [young, old], engagedFirst, 0.1, use('young')],
  ['other mail goes over warmed addresses', false, [young, old], engagedFirst, 0.9, use('old')],
  [
    'other mail waits while the allowance is kept',
    false,
    [young],
    engagedFirst,
    0.4,
    { kind: 'Wait', until: END },
  ],
  ['and may have what the day has earned', false, [young], engagedFirst, 0.5, use('young')],
  ['a blocked address is no address', false, [{ ...young, blocked: true }, old], warmed, 0, use('old')],
  ['none is fit', false, [{ ...young, blocked: true }], warmed, 0, { kind: 'Blocked' }],
  ['an empty pool', false, [], warmed, 0, { kind: 'Blocked' }],
] as const)('%s', (_, engaged, candidates, policy, dayShare, expected) => {
  expect(routeFor(engaged, candidates, policy, dayShare)).toEqual(expected);
});
