// The end of a pool and of its volumes, with deferred mail in every spool: deleted with Drain, with Retain, a volume claim deleted
// by hand, and stranded mail given up. What is at stake is known to the message, and so is what must be left of it.
import { judge } from '../internet/judge.ts';
import { until } from '../rig/process.ts';
import type { SubmissionResult } from '../sender/record.ts';
import { sendAll } from '../sender/sender.ts';
import { applySamples, NAMESPACE } from '../stage/install.ts';
import type { Stage } from '../stage/stage.ts';
import { everywhere, smallMail } from './deferred.ts';
import { spotless } from './mail.ts';
import { askOperator, type PoolStatus, streamsOf } from './pool.ts';
import { sceneOf, sharedStage, takeDownStage } from './stage.ts';

const MESSAGES = 120;
const specs = {
  QueuePolicy: { retry: { intervals: ['5s', '10s'], jitter: 0, maxAge: '1h' } },
  SendingPool: { replicas: 2 },
};
const POD = 'demo-delivery-1';
const CLAIM = `spool-${POD}`;
const STREAMS = [...Array.from({ length: 8 }, (_, n) => `MAIL_postfleet_demo_${n}`), 'MEMORY_postfleet_demo'];
/** An account that the admission policies do not bind, as a backup tool may have. */
const PAST_THE_POLICIES = [
  '--as=system:serviceaccount:kube-system:generic-garbage-collector',
  '--as-group=system:masters',
];

let stage: Stage;
const kubectl = (...args: string[]) => stage.cluster.kubectl(['-n', NAMESPACE, ...args]);
const get = async (...what: string[]) => {
  const text = await kubectl('get', ...what, '--ignore-not-found', '-o', 'json');
  return text === '' ? null : JSON.parse(text);
};
/** Nothing at all is said of an empty list. */
const list = async (...what: string[]) => (await get(...what))?.items ?? [];
const pool = () => get('sendingpool', 'demo');
const status = async (): Promise<PoolStatus> => (await pool())?.status ?? {};
const condition = async (type: string) => (await status()).conditions?.find((one) => one.type === type);
const isReady = async () => (await condition('Ready'))?.status === 'True';
const ready = () => until('the pool to be ready', isReady, 150_000);
const claims = async () => {
  const items = await list('pvc', '-l', 'postfleet.io/pool=demo');
  type Claim = { metadata: { name: string; uid: string; annotations: Record<string, string> } };
  return (items as Claim[]).map(({ metadata: { name, uid, annotations } }) => ({
    ...{ name, uid, used: 'postfleet.io/used-since' in annotations },
  }));
};
const events = async (reason: string): Promise<string[]> => {
  const items = await list('events', `--field-selector=reason=${reason}`);
  return (items as { message: string }[]).map(({ message }) => message);
};
/** To domains whose mail servers all answer: a dead one would keep mail in hand for long. */
function mailOf(name: string, count: number): ReturnType<typeof smallMail> {
  const dead = new Set(stage.world.deadHosts.map(({ hostname }) => hostname));
  const domains = stage.world.domains.filter(({ mx }) => !mx.some((host) => dead.has(host)));
  const prefix = `${name}${Date.now().toString(36)}`;
  return smallMail({ ...stage, world: { ...stage.world, domains } }, prefix, 0, count);
}
const patch = (spec: object) =>
  kubectl('patch', 'sendingpool', 'demo', '--type=merge', '-p', JSON.stringify({ spec }));
const give = (mail: ReturnType<typeof smallMail>, more: { perSecond?: number; maxAttempts: number }) =>
  sendAll(mail, { smtp: stage.smtp, httpEvery: 0, sessions: 6, ...more });

/** So much mail as is in spools afterwards, and nowhere else. */
async function deferredMail(): Promise<SubmissionResult[]> {
  await stage.internet.reset();
  await everywhere(stage, 'defers');
  const mail = mailOf('d', MESSAGES);
  const sent = await give(mail, { maxAttempts: 12 });
  await until(
    'all of it to be in spools',
    async () => {
      const { members = [], backlog } = await status();
      return backlog === MESSAGES && members.reduce((sum, { queued }) => sum + queued, 0) === MESSAGES;
    },
    60_000,
  );
  return sent;
}

async function judged(sent: readonly SubmissionResult[]) {
  const allowedSources = stage.world.sendingAddresses.map(({ address }) => address);
  return judge({ sent, records: await stage.internet.records(), allowedSources, queued: 0 });
}
const delivered = (sent: readonly SubmissionResult[], count: number) =>
  until(`${count} to be delivered`, async () => (await judged(sent)).delivered === count, 120_000);

beforeAll(async () => {
  stage = await sharedStage(specs);
}, 600_000);
/** Each begins with the pool as the samples make it, whatever the one before left. */
beforeEach(async () => {
  await everywhere(stage, 'accepts');
  const leaving = async () => (await pool())?.metadata.deletionTimestamp !== undefined;
  await until('no pool to be leaving', async () => !(await leaving()), 120_000);
  await applySamples(stage.cluster, specs);
  await ready();
}, 300_000);
afterAll(async () => {
  if (process.env.KEEP_STAGE !== '1') await takeDownStage();
}, 120_000);

test('rule 1: deleted with Drain, a pool takes no mail, says how much is left, and goes when every message is delivered', async () => {
  const sent = await deferredMail();
  const before = await claims();
  await kubectl('delete', 'sendingpool', 'demo', '--wait=false');
  const left = (count: number) =>
    until(`${count} to be left`, async () => (await status()).deletion?.left === count, 60_000);
  await left(MESSAGES);
  expect((await status()).deletion).toMatchObject({ step: 'Deliver', since: expect.any(String) });
  const message = expect.stringContaining(`${MESSAGES} left`);
  expect(await condition('Ready')).toMatchObject({ status: 'False', reason: 'Deleting', message });
  const [late] = await give(mailOf('late', 1), { maxAttempts: 1 });
  expect(late?.reply).toMatch(/451 4\.3\.2 .*takes no new mail/);
  const some = ['alder.example', 'birch.example', 'cedar.example'];
  for (const domain of some) await stage.internet.setBehaviour(`mx.${domain}`, {});
  const theirs = sent.filter(({ recipients }) => some.some((one) => recipients[0]?.address.endsWith(one)));
  await left(MESSAGES - theirs.length);
  expect(await judged(sent)).toMatchObject({ delivered: theirs.length });
  await everywhere(stage, 'accepts');
  await until('the pool to be gone', async () => (await pool()) === null, 120_000);
  expect(await judged(sent)).toMatchObject({ ...spotless, accepted: MESSAGES, delivered: MESSAGES });
  expect(await get('statefulset', 'demo-delivery')).toBeNull();
  expect(await list('pods', '-l', 'postfleet.io/pool=demo')).toEqual([]);
  expect((await streamsOf(sceneOf(stage))).filter((name) => STREAMS.includes(name))).toEqual([]);
  // Kept, for storage.whenDrained says so; free of any mark of mail.
  expect(await claims()).toEqual(before.map((one) => ({ ...one, used: false })));
}, 420_000);

test('rule 7: deleted with Retain, volumes and streams stay; made again with no pods it says so, and with pods nothing is lost or repeated', async () => {
  await patch({ deletionPolicy: 'Retain' });
  const sent = await deferredMail();
  const before = await claims();
  const { spec } = await pool();
  const load = give(mailOf('r', 60), {
    ...{ perSecond: 3, maxAttempts: 60 },
  });
  await kubectl('delete', 'sendingpool', 'demo', '--timeout=60s');
  expect(await events('Retained')).toEqual(['pods are removed; volumes and streams are kept']);
  expect(await get('statefulset', 'demo-delivery')).toBeNull();
  expect(await streamsOf(sceneOf(stage))).toEqual(expect.arrayContaining(STREAMS));
  expect(await claims()).toEqual(before);
  const again = { apiVersion: 'postfleet.io/v1alpha1', kind: 'SendingPool', metadata: { name: 'demo' } };
  const text = JSON.stringify({ ...again, spec: { ...spec, replicas: 0, deletionPolicy: 'Drain' } });
  await stage.cluster.kubectl(['-n', NAMESPACE, 'apply', '-f', '-'], text);
  await until('both volumes to be told of', async () => (await status()).stranded?.length === 2, 60_000);
  const stranded = before.map(({ name }) => expect.objectContaining({ volume: name, why: 'NoPod' }));
  expect((await status()).stranded).toEqual(expect.arrayContaining(stranded));
  await kubectl('scale', 'sendingpool/demo', '--replicas=2');
  await ready();
  expect((await status()).stranded ?? []).toEqual([]);
  expect(await claims()).toEqual(before);
  await everywhere(stage, 'accepts');
  const all = [...sent, ...(await load)];
  await delivered(all, MESSAGES + 60);
  await until('the pool to be empty', async () => (await status()).backlog === 0, 60_000);
  expect(await judged(all)).toMatchObject({ ...spotless, accepted: MESSAGES + 60 });
}, 420_000);

/** Wrong by one, then right: refused, then told, counted and done. */
async function giveUp(queued: number): Promise<void> {
  const operator = askOperator(sceneOf(stage));
  const before = await operator('postfleet_given_up_recipients_total');
  expect(await operator('postfleet_stranded_recipients')).toBe(queued);
  const annotate = (count: number) =>
    kubectl(
      'annotate',
      'sendingpool',
      'demo',
      '--overwrite',
      `postfleet.io/give-up-stranded=${CLAIM}=${count}`,
    );
  await annotate(queued - 1);
  const refused = async () => (await condition('MailReachable'))?.reason === 'GiveUpRefused';
  await until('a wrong number to be refused', refused, 30_000);
  expect((await condition('MailReachable'))?.message).toContain(`at stake is "${CLAIM}=${queued}"`);
  expect(await operator('postfleet_given_up_recipients_total')).toBe(before);
  await annotate(queued);
  await until('it to be given up', async () => (await status()).stranded?.length === 0, 60_000);
  expect(await operator('postfleet_given_up_recipients_total')).toBe(before + queued);
  expect(await operator('postfleet_stranded_recipients')).toBe(0);
  const told = expect.stringContaining(`given up: ${queued} recipients on ${CLAIM}`);
  expect(await events('GivenUp')).toEqual(expect.arrayContaining([told]));
  expect((await pool()).metadata.annotations).not.toHaveProperty(['postfleet.io/give-up-stranded']);
}

/** All else arrives, what was given up does not, and the pool has nothing to complain of. */
async function restArrives(sent: readonly SubmissionResult[], queued: number): Promise<void> {
  await everywhere(stage, 'accepts');
  await ready();
  await delivered(sent, MESSAGES - queued);
  await until('the pool to be empty', async () => (await status()).backlog === 0, 60_000);
  expect(await judged(sent)).toMatchObject({ ...spotless, accepted: MESSAGES, lost: queued });
  expect(await status()).toMatchObject({ stranded: [] });
}

const strandedBy = (why: string) =>
  until(
    `${CLAIM} to be stranded: ${why}`,
    async () => (await status()).stranded?.find((one) => one.volume === CLAIM && one.why === why) ?? null,
    150_000,
  );
const queuedAt = async (name: string) =>
  (await status()).members?.find(({ pod }) => pod === name)?.queued ?? 0;

test('a claim deleted by hand: refused to people; past the policies the loss is stated with its number, and cleared by it', async () => {
  const sent = await deferredMail();
  const queued = await queuedAt(POD);
  expect(queued).toBeGreaterThan(0);
  const ann = ['--as=ann', '--as-group=system:masters'];
  await expect(kubectl('delete', 'pvc', CLAIM, ...ann)).rejects.toThrow(/may hold mail/);
  await expect(kubectl('delete', 'namespace', NAMESPACE, '--dry-run=server', ...ann)).rejects.toThrow(
    /holds mail/,
  );
  const [, former] = await claims();
  await kubectl('delete', 'pvc', CLAIM, '--wait=false', ...PAST_THE_POLICIES);
  // Its pod has it still, and only takes it along when it is deleted too.
  expect((await claims())[1]).toEqual(former);
  expect(await queuedAt(POD)).toBe(queued);
  await kubectl('delete', 'pod', POD, '--wait=false', ...ann);
  expect(await strandedBy('VolumeLost')).toMatchObject({ pod: POD, queued });
  expect(await condition('MailReachable')).toMatchObject({ status: 'False', reason: 'VolumeLost' });
  expect((await claims())[1]?.uid).not.toBe(former?.uid);
  await giveUp(queued);
  await restArrives(sent, queued);
}, 420_000);

test('rule 10: mail that no pod can work is given up by its number: event and metric say how many, and nothing else is touched', async () => {
  const sent = await deferredMail();
  const queued = await queuedAt(POD);
  expect(queued).toBeGreaterThan(0);
  const [, former] = await claims();
  await kubectl('cordon', 'node1');
  await kubectl('delete', 'pod', POD, '--wait=false');
  try {
    expect(await strandedBy('PodUnschedulable')).toMatchObject({ pod: POD, queued });
    await giveUp(queued);
  } finally {
    await kubectl('uncordon', 'node1');
  }
  await restArrives(sent, queued);
  expect((await claims())[1]?.uid).not.toBe(former?.uid);
}, 480_000);
