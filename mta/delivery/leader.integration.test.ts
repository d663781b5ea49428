// Three nats-servers: the stream's leader steps down, then its server is killed. Pulls must find the mail again by themselves.
import { connectTo } from '../../e2e/rig/bus.ts';
import { type Nats, startNats, until } from '../../e2e/rig/servers.ts';
import { ensurePoolAssets } from '../../operator/nats/assets.ts';
import { log } from '../../process/log.ts';
import type { Bus } from '../bus/client.ts';
import { mailStream, mailSubject, poolKey } from '../bus/names.ts';
import { Budget } from './budget.ts';
import { LASTING, ORIGIN } from './incarnation.fixture.ts';
import { mailMessage } from './message.ts';
import { pull } from './pull.ts';

const KEY = poolKey('mail/main');
const STREAM = mailStream(KEY, 0);
const CLASS = 'bulk';
let nats: Nats;
let bus: Bus;

beforeAll(async () => {
  nats = await startNats({ servers: 3 });
  bus = await connectTo(nats, 'delivery', { replicas: 3 });
  const profile = { replicas: 3, shardMaxBytes: 1024 ** 3 };
  const classes = [{ name: CLASS, weight: 1 }];
  await until(
    'the assets',
    async () => {
      await ensurePoolAssets(await bus.manager(), KEY, 1, classes, profile);
      return true;
    },
    40_000,
  );
}, 90_000);
afterAll(async () => {
  await bus?.close();
  await nats?.stop();
}, 30_000);

test('mail goes on after the leader has stepped down, and after its server was killed', async () => {
  const taken: string[] = [];
  const end = new AbortController();
  const budget = new Budget(100, () => false);
  const parts = {
    js: bus.js,
    budget,
    log,
    stream: STREAM,
    consumer: CLASS,
    priorityClass: CLASS,
    incarnations: LASTING,
  };
  const take = (text: string, ack: () => Promise<boolean>) => {
    taken.push(text);
    void ack().catch(() => false);
    return false;
  };
  const pulling = pull(
    {
      ...parts,
      adopt: (message) => mailMessage(bus.nc, message, ORIGIN, () => true),
      take: (message) =>
        take(new TextDecoder().decode(message.data), () => message.ackAck({ timeout: 5000 })),
    },
    end.signal,
  );
  const publish = (text: string) =>
    until(
      `${text} to be stored`,
      () => bus.js.publish(mailSubject(KEY, 0, CLASS), text, { msgID: text, timeout: 2000 }),
      40_000,
    );
  const comes = async (text: string) => {
    await publish(text);
    await until(`${text} to come`, () => taken.includes(text), 60_000);
  };
  await comes('before');
  const leader = async () => (await (await bus.manager()).consumers.info(STREAM, CLASS)).cluster?.leader;
  for (let round = 0; round < 3; round++) {
    await bus.nc.request(`$JS.API.CONSUMER.LEADER.STEPDOWN.${STREAM}.${CLASS}`, '', { timeout: 5000 });
    await bus.nc.request(`$JS.API.STREAM.LEADER.STEPDOWN.${STREAM}`, '', { timeout: 5000 });
    await comes(`stepped down ${round}`);
  }
  const name = await until('a leader', leader, 30_000);
  const node = nats.nodes.find(({ url }) => url.includes(`127.0.0.${name.slice(1)}:`));
  if (!node) throw new Error(`no server is called ${name}`);
  await node.stop('SIGKILL');
  await comes('killed');
  await node.start();
  await comes('started again');
  end.abort();
  await pulling;
  expect(budget.used).toBe(0);
}, 240_000);
