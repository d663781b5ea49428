// Streams and consumers made anew under their names, over a real nats-server: what a pod still holds of before says nothing to them.
import { until } from '../../e2e/rig/servers.ts';
import { ensurePoolAssets } from '../../operator/nats/assets.ts';
import type { Bus } from '../bus/client.ts';
import { mailStream } from '../bus/names.ts';
import { openFaultySpool, type Volume } from './faultyspool.fixture.ts';
import { type Behaviour, type Fixture, KEY, startFixture } from './fixture.ts';
import { CLASSES, SHARDS } from './values.fixture.ts';

const SHARD = 0;
const STREAM = mailStream(KEY, SHARD);

let fixture: Fixture;

beforeAll(async () => {
  fixture = await startFixture();
}, 60_000);
afterEach(() => fixture?.reset(), 60_000);
afterAll(() => fixture?.stop(), 30_000);

/** Takes the whole of a message, and answers when it is told to. */
function slow() {
  const state = { waiting: 0, mails: [] as string[][], answer: () => {} };
  const told = new Promise<void>((resolve) => {
    state.answer = resolve;
  });
  const onData: Behaviour['onData'] = (stream, session, done) => {
    stream.resume();
    stream.on('end', async () => {
      state.waiting++;
      await told;
      state.mails.push(session.envelope.rcptTo.map(({ address }) => address));
      done();
    });
  };
  return { state, behaviour: { onData } satisfies Behaviour };
}

const remake = async () => {
  const manager = await fixture.bus.manager();
  await ensurePoolAssets(manager, KEY, SHARDS, CLASSES, { replicas: 1, shardMaxBytes: 1024 ** 3 });
};
async function makeStreamAnew(): Promise<void> {
  await (await fixture.bus.manager()).streams.delete(STREAM);
  await remake();
}
async function makeConsumersAnew(): Promise<void> {
  const { consumers } = await fixture.bus.manager();
  for (const { name } of CLASSES) await consumers.delete(STREAM, name);
  await remake();
}
const sequenceOf = async () => (await (await fixture.bus.manager()).streams.info(STREAM)).state.last_seq;

/** A pod over a connection of its own, which can be made to drop. */
async function podOver(name: string) {
  const bus: Bus = await fixture.connect(`delivery-${name}`);
  fixture.afterwards(() => bus.close());
  return { bus, pod: await fixture.pod(name, { bus: Promise.resolve(bus) }) };
}

describe('a stream that is made anew', () => {
  test.each([
    ['while the connection stands', false],
    ['and the connection drops', true],
  ])(
    '%s: an acknowledgement of before does not take the mail that has its number now',
    async (_, drops) => {
      const { bus, pod } = await podOver(`anew-${drops}`);
      const [first, second] = [slow(), slow()];
      await fixture.sink('first.test', first.behaviour);
      await fixture.sink('second.test', second.behaviour);
      await makeStreamAnew();
      await fixture.submit(['user@first.test'], fixture.idOf(SHARD));
      await until('the first to be past its final dot', () => first.state.waiting === 1);
      const before = await sequenceOf();
      await makeStreamAnew();
      if (drops) await bus.nc.reconnect();
      await fixture.submit(['user@second.test'], fixture.idOf(SHARD));
      await until('the second to be past its final dot', () => second.state.waiting === 1);
      expect(await sequenceOf()).toBe(before);
      first.state.answer();
      await until('the first to have left the hand', () => pod.statement().unacknowledged === 1);
      // Its owner holds the second in memory alone: what of it is in the stream is all there is when the owner dies.
      expect(await fixture.stored()).toBe(1);
      second.state.answer();
      await until('the second to be acknowledged', async () => (await fixture.stored()) === 0);
      await until('the pod to know', () => pod.statement().unacknowledged === 0);
      expect([...first.state.mails, ...second.state.mails]).toHaveLength(2);
    },
    60_000,
  );

  test('what its owner has in hand goes to the spool, once that takes it, and from there to its end', async () => {
    const volume: Volume = { state: 'fine' };
    const openSpool = (folder: string) => openFaultySpool(folder, volume);
    const pod = await fixture.pod('rescue', { openSpool });
    let isOpen = false;
    const asked: (() => void)[] = [];
    const onConnect: Behaviour['onConnect'] = (_, done) => (isOpen ? done() : void asked.push(done));
    const sink = await fixture.sink('hanging.test', { onConnect });
    await fixture.submit(['user@hanging.test'], fixture.idOf(SHARD));
    await until('an attempt', () => asked.length > 0);
    volume.state = 'full';
    await makeStreamAnew();
    await until('the spool to have refused it', () =>
      pod.readiness.obstacles.some((why) => why.startsWith('spool')),
    );
    expect(pod.statement()).toMatchObject({ unacknowledged: 1, spool: { entries: 0 } });
    volume.state = 'fine';
    await until('it to be in the spool', () => pod.statement().spool.entries === 1);
    // There is nothing to be acknowledged of it.
    await until('it to have left the hand', () => pod.statement().unacknowledged === 0);
    await pod.crash();
    isOpen = true;
    const again = await fixture.pod('rescue', { uid: pod.uid });
    await until('the mail', () => sink.mails.length === 1);
    await until('its end', () => again.statement().spool.entries === 0);
    expect(sink.mails).toHaveLength(1);
  }, 60_000);
});

describe('consumers that are made anew on the same stream', () => {
  test('what is in hand is acknowledged through them, and sent once', async () => {
    const pod = await fixture.pod('consumer');
    const { state, behaviour } = slow();
    await fixture.sink('first.test', behaviour);
    await fixture.submit(['user@first.test'], fixture.idOf(SHARD));
    await until('it to be past its final dot', () => state.waiting === 1);
    await makeConsumersAnew();
    const delivered = async () =>
      (await (await fixture.bus.manager()).consumers.info(STREAM, 'transactional')).delivered.stream_seq;
    await until('it to be delivered again', async () => (await delivered()) > 0);
    state.answer();
    await until('it to be acknowledged', async () => (await fixture.stored()) === 0);
    await until('the pod to know', () => pod.statement().unacknowledged === 0);
    expect(state.mails).toHaveLength(1);
    expect(pod.statement().spool.entries).toBe(0);
  }, 60_000);

  test('what a former owner had waits for its fence, though they have delivered it to nobody', async () => {
    const sink = await fixture.sink('one.test');
    const phantom = await fixture.phantomHolder(true);
    await fixture.submit(['had@one.test'], fixture.idOf(SHARD));
    await fixture.touch();
    await makeConsumersAnew();
    await fixture.submit(['fresh@one.test'], fixture.idOf(SHARD));
    const pod = await fixture.pod('new', { assign: false });
    await fixture.assign(() => {
      const { members, shards } = fixture.allTo(pod);
      return {
        members,
        shards: shards.map((one) => ({ ...one, former: { uid: 'uid-lost', stated: false } })),
      };
    });
    await until('what nobody had', () => sink.mails.length === 1);
    const { renewals } = phantom;
    await until('a dozen renewals', () => phantom.renewals >= renewals + 12);
    expect(sink.mails.flatMap(({ to }) => to)).toEqual(['fresh@one.test']);
    phantom.renews = false;
    await until('the rest, once the lease has run out', () => sink.mails.length === 2, 30_000);
  }, 60_000);
});
