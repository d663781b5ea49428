// Warm-up on a real cluster: one address is young, with a tiny schedule at one provider; one is warmed. The provider counts.
import { until } from '../rig/process.ts';
import { NAMESPACE } from '../stage/install.ts';
import type { Stage } from '../stage/stage.ts';
import { acceptedFrom, runPlan } from './mail.ts';
import { sceneOf, sharedStage, takeDownStage } from './stage.ts';

const [YOUNG, WARMED] = ['198.51.100.10', '198.51.100.11'];
const PROVIDER = 'alder.example';
const ALLOWANCE = 60;

const spec = {
  addresses: [
    { address: YOUNG, ehlo: 'mta1.demo.example' },
    { address: WARMED, ehlo: 'mta2.demo.example', warmed: true },
  ],
  warmup: { schedules: { [PROVIDER]: [{ day: 1, perDay: ALLOWANCE }] } },
};

let stage: Stage;
beforeAll(async () => {
  stage = await sharedStage({ IPPool: spec });
}, 600_000);
afterAll(async () => {
  if (process.env.KEEP_STAGE !== '1') await takeDownStage();
}, 120_000);

test('never more than the allowance comes from the young address, through kill -9 of its holder; the rest comes from the warmed one', async () => {
  const scene = sceneOf(stage);
  const kill = async () => {
    const holders = scene.processes('egress');
    expect(holders.length).toBeGreaterThan(0);
    for (const one of holders) scene.kill(one);
  };
  const { judgement, records } = await runPlan(stage, {
    ...{ seed: 31, count: 150, perSecond: 6, domains: [PROVIDER], halfWay: kill },
  });
  expect(judgement).toMatchObject({
    lost: 0,
    ghosts: 0,
    contradicted: 0,
    strangers: 0,
    wrongSource: 0,
    unknown: 0,
  });
  const accepted = acceptedFrom(records, PROVIDER);
  expect(Object.keys(accepted).toSorted()).toEqual([YOUNG, WARMED]);
  expect(accepted[YOUNG]).toBeLessThanOrEqual(ALLOWANCE);
  // While a slice is under way the warmed address takes what comes.
  expect(accepted[YOUNG]).toBeGreaterThanOrEqual(ALLOWANCE / 2);
  expect(accepted[WARMED]).toBeGreaterThanOrEqual(150 - ALLOWANCE);
}, 300_000);

test('the status says where the address stands', async () => {
  const kubectl = (...args: string[]) => stage.cluster.kubectl(['-n', NAMESPACE, ...args]);
  await until(
    'the day in the status',
    async () => {
      const { status } = JSON.parse(await kubectl('get', 'ippool', 'demo', '-o', 'json'));
      const [first] = status.addresses;
      const at = first.warmup?.find(({ provider }: { provider: string }) => provider === PROVIDER);
      return at?.day === 1 && at.allowance === ALLOWANCE && at.used <= ALLOWANCE && at.used > 0;
    },
    90_000,
  );
  expect(await kubectl('get', 'ippools')).toMatch(/demo\s+True\s+AsExpected\s+2\/2\s+1\/2/);
}, 120_000);
