// A young address that moves: the node of its holder is lost in the middle of the day, and what it may send that day stays one allowance.
import { setTimeout as pause } from 'node:timers/promises';
import { sliceOf } from '../../mta/policy/warmup/ledger.ts';
import type { AttemptRecord } from '../internet/record.ts';
import { until } from '../rig/process.ts';
import { NAMESPACE } from '../stage/install.ts';
import { raiseStage, type Stage } from '../stage/stage.ts';
import { acceptedFrom, runPlan, spotless } from './mail.ts';

const [WARMED, YOUNG] = ['198.51.100.10', '198.51.100.12'];
const PROVIDER = 'alder.example';
const ALLOWANCE = 100;
const BEFORE = 40;
/** Messages of the second run that leave from it before its node is lost. */
const UNDER_WAY = 15;

/** A zone in which it is about noon: a day that ends in between has a second allowance. */
function noonZone(now = new Date()): string {
  const east = 12 - now.getUTCHours();
  return `Etc/GMT${east < 0 ? '+' : '-'}${Math.abs(east)}`;
}

let stage: Stage;
const kubectl = (...args: string[]) => stage.cluster.kubectl(['-n', NAMESPACE, ...args]);
const pool = async () => JSON.parse(await kubectl('get', 'ippool', 'demo', '-o', 'json'));
const held = (count: string) =>
  until(`${count} addresses to be held`, async () => (await pool()).status?.held === count, 90_000);

interface Seen {
  readonly node: string;
  readonly state: string;
  readonly day: number;
  readonly allowance: number;
  readonly used: number;
}
/** Where the young address is and where its day stands, as the status says; null: it says nothing yet. */
async function seen(): Promise<Seen | null> {
  const { status } = await pool();
  const one = status?.addresses?.find(({ address }: { address: string }) => address === YOUNG);
  const at = one?.warmup?.find(({ provider }: { provider: string }) => provider === PROVIDER);
  return at ? { node: one.node, state: one.state, ...at } : null;
}

/** Looks at the day every second until `over`; no look may find less used than the one before. */
async function watchDay(over: AbortSignal): Promise<Seen[]> {
  const looks: Seen[] = [];
  while (!over.aborted) {
    const look = await seen().catch(() => null);
    if (look) looks.push(look);
    await pause(1000, undefined, { signal: over }).catch(() => {});
  }
  return looks;
}

beforeAll(async () => {
  stage = await raiseStage({
    ...{ name: 'moved-warmup', profile: 'small', nodes: 3, heartOnFirst: true },
    homes: { [YOUNG]: 'segment' },
    specs: {
      IPPool: {
        addresses: [
          { address: WARMED, ehlo: 'mta1.demo.example', node: 'node1', warmed: true },
          { address: YOUNG, ehlo: 'mta3.demo.example', movable: true },
        ],
        // One address a node: the movable one is not where everything else is.
        placement: { interface: 'eth0', maxAddressesPerNode: 1 },
        warmup: { timeZone: noonZone(), schedules: { [PROVIDER]: [{ day: 1, perDay: ALLOWANCE }] } },
      },
      SendingPool: { replicas: 1, podTemplate: { nodeSelector: { 'kubernetes.io/hostname': 'node1' } } },
    },
  });
}, 600_000);
afterAll(async () => {
  if (process.env.KEEP_STAGE !== '1') await stage?.cluster.down();
}, 120_000);

test('through the loss of its node mail goes on from it within 30 s, and its day goes on from where it was', async () => {
  await held('2/2');
  const first = await runPlan(stage, { seed: 41, count: BEFORE, perSecond: 4, domains: [PROVIDER] });
  expect(first.judgement).toMatchObject(spotless);
  const { [YOUNG]: sentBefore = 0 } = acceptedFrom(first.records, PROVIDER);
  // While a slice is under way the warmed address takes what comes.
  expect(sentBefore).toBeGreaterThanOrEqual(BEFORE / 4);
  const dayWritten = async () => {
    const look = await seen();
    return look && look.used >= sentBefore ? look : null;
  };
  const before = await until('the day in the status', dayWritten, 90_000);
  expect(before).toMatchObject({ state: 'Held', day: 1, allowance: ALLOWANCE });
  expect(before.node).not.toBe('node1');

  const over = new AbortController();
  const watching = watchDay(over.signal);
  let cutAt = 0;
  const lose = async () => {
    const isUnderWay = async () => {
      const { [YOUNG]: count = 0 } = acceptedFrom(await stage.internet.records(), PROVIDER);
      return count >= UNDER_WAY;
    };
    await until('mail to leave from it', isUnderWay, 60_000);
    await stage.cluster.stopNode(Number(before.node.replace('node', '')));
    cutAt = Date.now();
  };
  const second = await runPlan(stage, {
    ...{ seed: 42, count: 480, perSecond: 6, domains: [PROVIDER] },
    meanwhile: lose,
  });
  over.abort();
  const looks = await watching;

  const from = second.records.filter(
    (one): one is AttemptRecord => one.kind === 'attempt' && one.source === YOUNG,
  );
  const seconds = Math.min(...from.filter(({ at }) => at > cutAt + 500).map(({ at }) => at - cutAt)) / 1000;
  const { [YOUNG]: sentAfter = 0, [WARMED]: overflow = 0 } = acceptedFrom(second.records, PROVIDER);
  console.log(
    `sent again ${seconds.toFixed(1)} s after the node was lost; ${sentBefore} + ${sentAfter} of ${ALLOWANCE} from it, ` +
      `${overflow} from the warmed one; used: ${[...new Set(looks.map(({ used }) => used))].join(', ')}`,
  );
  expect(seconds).toBeLessThan(30);
  // A session that was cut between its final dot and the reply is repeated: nobody can know whether it was taken.
  expect(second.judgement).toMatchObject({ ...spotless, duplicated: expect.any(Number) });
  expect(second.judgement.duplicated).toBeLessThanOrEqual(2);
  expect(sentBefore + sentAfter).toBeLessThanOrEqual(ALLOWANCE);
  // One change of holder without a word: one slice.
  expect(sentBefore + sentAfter).toBeGreaterThanOrEqual(ALLOWANCE - sliceOf(ALLOWANCE));

  const used = looks.map((look) => look.used);
  expect(used.toSorted((a, b) => a - b)).toEqual(used);
  expect(used[0]).toBeGreaterThanOrEqual(before.used);
  expect(Math.max(...used)).toBeLessThanOrEqual(ALLOWANCE);
  for (const look of looks) expect(look).toMatchObject({ day: 1, allowance: ALLOWANCE });
  const moved = async () => {
    const look = await seen();
    return look?.state === 'Held' && look.node !== before.node && look.used > before.used;
  };
  await until('the status of its new node', moved, 90_000);
}, 420_000);
