// Ledgers in a real nats-server: pods that both believe to hold the address, kill -9, NATS away, and a policy that changes.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connectTo } from '../../../e2e/rig/bus.ts';
import { type Nats, startNats, until } from '../../../e2e/rig/servers.ts';
import { ensureFleetAssets } from '../../../operator/nats/assets.ts';
import { warmupSpec } from '../../../resources/warmup.ts';
import type { Bus } from '../../bus/client.ts';
import { fileComplaint } from '../../bus/complaint.ts';
import { WARMUP_BUCKET, warmupKey } from '../../bus/names.ts';
import { sliceOf } from '../../policy/warmup/ledger.ts';
import type { LedgerRecord } from '../../policy/warmup/record.ts';
import type { Scene } from './pod.fixture.ts';

const POD = join(import.meta.dirname, 'pod.fixture.ts');
const NOON = Date.parse('2026-05-01T12:00:00Z');
const DAY = 86_400_000;

let nats: Nats;
let bus: Bus;
beforeAll(async () => {
  nats = await startNats();
  bus = await connectTo(nats, 'operator');
  await ensureFleetAssets(bus, { replicas: 1, shardMaxBytes: 1 << 20 });
}, 30_000);
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

/** A pod, and what it says: how many recipients were accepted since it was last asked, and what it heard last. */
class Pod {
  static readonly all: Pod[] = [];
  accepted = 0;
  last = '';
  readonly #child: ChildProcess;

  constructor(address: string) {
    const { POSTFLEET_NATS_URL: url, POSTFLEET_NATS_MONITOR_URL: monitor } = nats.env;
    this.#child = spawn(process.execPath, [POD, url, monitor, address], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    if (this.#child.stdout)
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        this.last = line;
        if (line === 'accepted') this.accepted++;
      });
    Pod.all.push(this);
  }
  play(scene: Scene): void {
    this.last = '';
    this.#child.stdin?.write(`${JSON.stringify(scene)}\n`);
  }
  /** Says nothing but this for a while: it is at its end. */
  async settles(on: string): Promise<void> {
    await until(`${on} (it says ${this.last})`, () => this.last === on);
  }
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }
}
afterEach(() => Promise.all(Pod.all.splice(0).map((pod) => pod.kill())));

const sceneOf = (
  address: string,
  at: number,
  perDay: readonly number[],
  timeZone = 'UTC',
  more: Partial<Scene> = {},
): Scene => {
  const schedules = { google: perDay.map((allowance, day) => ({ day: day + 1, perDay: allowance })) };
  const addresses = [{ address, ehlo: 'out.example.org', movable: false, weight: 100 }];
  return { at, ipPool: { addresses, warmup: warmupSpec.parse({ timeZone, schedules }) }, ...more };
};
const total = (...pods: readonly Pod[]) => pods.reduce((sum, { accepted }) => sum + accepted, 0);
const stored = async (address: string) =>
  (await (await bus.kv(WARMUP_BUCKET)).get(warmupKey(address, 'google')))?.json<LedgerRecord>();

test('two pods that both believe to be the holder, killed again and again, never send more than the day allows', async () => {
  const address = '192.0.2.1';
  const scene = sceneOf(address, NOON, [2000]);
  const pods: Pod[] = [];
  const begin = () => {
    const pod = new Pod(address);
    pods.push(pod);
    pod.play(scene);
    return pod;
  };
  const pair = [begin(), begin()];
  let deaths = 0;
  for (let round = 0; round < 4; round++) {
    const goal = total(...pods) + 150;
    await until('mail', () => total(...pods) >= goal);
    await pair[round % 2]?.kill();
    deaths++;
    pair[round % 2] = begin();
  }
  for (const pod of pair) await pod.settles('Exhausted');
  expect(total(...pods)).toBeLessThanOrEqual(2000);
  expect(total(...pods)).toBeGreaterThanOrEqual(2000 - (deaths + 1) * sliceOf(2000));
  await until(
    'the record',
    async () => ((await stored(address))?.used ?? 0) >= 2000 - (deaths + 1) * sliceOf(2000),
  );
}, 60_000);

test('a changed schedule and time zone open no second budget; the next day is the next step', async () => {
  const address = '2001:db8::25';
  const pod = new Pod(address);
  pod.play(sceneOf(address, NOON, [100, 250]));
  await pod.settles('Exhausted');
  expect(pod.accepted).toBe(100);
  // On the other side of the date line it is tomorrow already, and yesterday still.
  for (const zone of ['Pacific/Kiritimati', 'Pacific/Pago_Pago']) {
    pod.play(sceneOf(address, NOON + 60_000, [100, 250], zone));
    await pod.settles('Exhausted');
  }
  pod.play(sceneOf(address, NOON - 40 * DAY, [100, 250]));
  await pod.settles('Exhausted');
  expect(pod.accepted).toBe(100);
  pod.play(sceneOf(address, NOON, [40, 250]));
  await pod.settles('Exhausted');
  pod.play(sceneOf(address, NOON, [130, 250]));
  await until('the difference', () => pod.accepted === 130);
  await pod.settles('Exhausted');
  pod.play(sceneOf(address, NOON + DAY, [130, 250]));
  await until('the next day', () => pod.accepted === 380);
  await pod.settles('Exhausted');
  expect(await stored(address)).toMatchObject({
    day: '2026-05-02',
    allowance: 250,
    closed: { verdict: 'Advance' },
  });
}, 60_000);

test('a hand-over in order loses nothing; without NATS what is in hand goes and then no more', async () => {
  const address = '192.0.2.3';
  const [first, second] = [new Pod(address), new Pod(address)];
  first.play(sceneOf(address, NOON, [20_000]));
  await until('mail', () => first.accepted > 1000);
  first.play({ ...sceneOf(address, NOON, [20_000]), leave: true });
  await until('the end', () => first.last === 'left' || first.last === 'Busy');
  await until('the record', async () => {
    const record = await stored(address);
    return record?.reserved === record?.used && record?.used === first.accepted;
  });
  const before = first.accepted;
  second.play(sceneOf(address, NOON, [20_000]));
  await until('mail of the next', () => second.accepted > 100);
  await nats.nodes[0]?.stop('SIGKILL');
  await second.settles('Reserve');
  const spent = total(first, second);
  await nats.nodes[0]?.start();
  await until('mail again', () => total(first, second) > spent + 1000, 30_000);
  await second.settles('Exhausted');
  expect(total(first, second)).toBeLessThanOrEqual(20_000);
  // Writes whose answer was lost with the server may have reserved a slice for nobody.
  expect(total(first, second)).toBeGreaterThanOrEqual(20_000 - 2 * sliceOf(20_000));
  expect(first.accepted).toBe(before);
}, 60_000);

test('complaints end the day, count once through changes of holder, and the next day goes on', async () => {
  const address = '192.0.2.4';
  const file = (...ids: readonly string[]) =>
    Promise.all(
      ids.map((id) => fileComplaint(bus, { version: 1, address, provider: 'google', id: `<${id}@fbl>` })),
    );
  const scene = sceneOf(address, NOON, [100_000, 200_000, 400_000]);
  const pair = [new Pod(address), new Pod(address)];
  for (const pod of pair) pod.play(scene);
  await until('mail', () => total(...pair) > 1000);
  expect(await file('a', 'b')).toEqual([true, true]);
  expect(await file('b', 'a')).toEqual([false, false]);
  await until('both in the record', async () => (await stored(address))?.tally.complained === 2);
  expect(await stored(address)).toMatchObject({ suspended: null });
  // Beyond 0.3 % of all that the day allows, whatever of it has gone by now.
  await file(...Array.from({ length: 318 }, (_, i) => `${i}`));
  for (const pod of pair) await pod.settles('Suspended');
  await pair[0]?.kill();
  const next = new Pod(address);
  next.play(scene);
  await next.settles('Suspended');
  expect(next.accepted).toBe(0);
  expect(await stored(address)).toMatchObject({
    tally: { complained: 320 },
    suspended: { signal: 'complained', rate: expect.any(Number), reply: null },
  });
  await pair[1]?.kill();
  next.play(sceneOf(address, NOON + DAY, [100_000, 200_000, 400_000]));
  await until('mail of the next day', () => next.accepted > 1000);
  expect(await stored(address)).toMatchObject({
    ...{ day: '2026-05-02', allowance: 100_000, suspended: null, tally: { complained: 0 } },
    closed: { verdict: 'StepBack', cause: { signal: 'complained' } },
  });
}, 60_000);
