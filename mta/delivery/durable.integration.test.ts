// What must not be lost when a place for it is missing: the volume, PostgreSQL, or the answer of one of them.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres, until } from '../../e2e/rig/servers.ts';
import { createAccount } from '../../gateway/accounts.ts';
import { openDatabase } from '../../gateway/db.ts';
import { migrate } from '../../gateway/migrate.ts';
import { addSuppressed, suppressed } from '../../gateway/suppression.ts';
import { openFaultySpool, type Volume } from './faultyspool.fixture.ts';
import { type Behaviour, type Fixture, type Pod, startFixture } from './fixture.ts';

let fixture: Fixture;

beforeAll(async () => {
  fixture = await startFixture();
}, 60_000);
afterEach(() => fixture?.reset(), 60_000);
afterAll(() => fixture?.stop(), 30_000);

const ends = (pod: Pod, result: string) => pod.metric('postfleet_delivery_recipients_total', { result });
const people = (count: number, domain: string) =>
  Array.from({ length: count }, (_, n) => `user${n}@${domain}`);
const submitAll = (addresses: readonly string[]) =>
  Promise.all(addresses.map((one) => fixture.submit([one])));
const arrived = (sink: { readonly mails: readonly { readonly to: readonly string[] }[] }) =>
  sink.mails.flatMap(({ to }) => to).sort();

/** Defers everybody until `open`. */
function closedAtFirst(): { open: boolean; behaviour: Behaviour } {
  const later = Object.assign(new Error('4.3.2 not now'), { responseCode: 451 });
  const gate = { open: false, behaviour: {} };
  gate.behaviour = {
    onRcptTo: (_: unknown, __: unknown, done: (error: Error | null) => void) =>
      done(gate.open ? null : later),
  };
  return gate;
}

describe('a volume that takes no parcel', () => {
  test('full: what is in it goes on, what is not stays in its stream, nothing is acknowledged unwritten', async () => {
    const volume: Volume = { state: 'fine' };
    const pod = await fixture.pod('full', { openSpool: (folder) => openFaultySpool(folder, volume) });
    const [old, late] = [closedAtFirst(), closedAtFirst()];
    const [oldSink, lateSink] = [
      await fixture.sink('old.test', old.behaviour),
      await fixture.sink('late.test', late.behaviour),
    ];
    await submitAll(people(5, 'old.test'));
    await until(
      'five to be in the spool',
      () => pod.statement().spool.entries === 5 && pod.statement().unacknowledged === 0,
    );
    volume.state = 'full';
    await submitAll(people(5, 'late.test'));
    await until('the pod to say why', () => pod.readiness.obstacles.includes('spool: the volume is full'));
    expect(pod.statement().spool.writable).toBe(false);
    old.open = true;
    await until('what is in the spool', () => oldSink.mails.length === 5);
    await until('its results', () => pod.statement().spool.entries === 0);
    await until('nothing to be in hand', () => pod.statement().unacknowledged === 0);
    expect(await fixture.stored()).toBe(5);
    expect(lateSink.mails).toHaveLength(0);
    volume.state = 'fine';
    late.open = true;
    await until('the others, without anybody helping', () => lateSink.mails.length === 5, 30_000);
    await until('all to be acknowledged', async () => (await fixture.stored()) === 0);
    await until('the spool to be empty', () => pod.statement().spool.entries === 0);
    expect(pod.readiness.obstacles).toEqual([]);
    expect(arrived(oldSink)).toEqual(people(5, 'old.test'));
    expect(arrived(lateSink)).toEqual(people(5, 'late.test'));
  }, 90_000);

  test('failing: a 250 without a place ends every new attempt until it has one, and nothing is sent twice', async () => {
    const volume: Volume = { state: 'fine' };
    const pod = await fixture.pod('failing', { openSpool: (folder) => openFaultySpool(folder, volume) });
    const gate = closedAtFirst();
    const sink = await fixture.sink('old.test', gate.behaviour);
    await submitAll(people(8, 'old.test'));
    await until(
      'all to be in the spool',
      () => pod.statement().spool.entries === 8 && pod.statement().inFlight === 0,
    );
    volume.state = 'failing';
    gate.open = true;
    await until('a 250', () => sink.mails.length > 0);
    await until(
      'the retries to come round again',
      async () => (await pod.metric('postfleet_delivery_in_flight')) > 0,
    );
    expect(pod.statement().spool.entries).toBe(8);
    expect(await ends(pod, 'delivered')).toBe(0);
    volume.state = 'fine';
    await until('the spool to be empty', () => pod.statement().spool.entries === 0);
    expect(arrived(sink)).toEqual(people(8, 'old.test'));
    expect(await ends(pod, 'delivered')).toBe(8);
  }, 60_000);

  test('a cordoned pod gives its shards back to the streams', async () => {
    const volume: Volume = { state: 'full' };
    fixture.suppression.down = true;
    const pod = await fixture.pod('cordoned', { openSpool: (folder) => openFaultySpool(folder, volume) });
    const sink = await fixture.sink('one.test');
    await submitAll(people(5, 'one.test'));
    await fixture.assign(({ members }) => ({ members: members.map((one) => ({ ...one, cordoned: true })) }));
    await until('the shards to be given up', () => {
      const { assignmentRevision, held, unacknowledged } = pod.statement();
      return assignmentRevision === fixture.assignment.revision && held.length === 0 && unacknowledged === 0;
    });
    expect(await fixture.stored()).toBe(5);
    fixture.suppression.down = false;
    const next = await fixture.pod('next');
    await until('all to arrive', () => sink.mails.length === 5, 40_000);
    expect(arrived(sink)).toEqual(people(5, 'one.test'));
    await until('all to be acknowledged', () => next.statement().unacknowledged === 0);
  }, 90_000);

  const folder = () => join(fixture.folder, 'small');
  const mounted = (() => {
    try {
      execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  })();
  (mounted ? test : test.skip)(
    '[needs to mount a tmpfs] the real spool on a volume that is full',
    async () => {
      mkdirSync(folder());
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=100m', 'tmpfs', folder()]);
      fixture.afterwards(() => void execFileSync('umount', ['-l', folder()]));
      const ballast = join(folder(), 'ballast');
      const pod = await fixture.pod('small');
      const gate = closedAtFirst();
      const sink = await fixture.sink('old.test', gate.behaviour);
      await submitAll(people(5, 'old.test'));
      await until('five to be in the spool', () => pod.statement().spool.entries === 5);
      writeFileSync(ballast, Buffer.alloc(40 * 1024 * 1024, 1));
      await until('the pod to say why', () =>
        pod.readiness.obstacles.some((why) => why.startsWith('spool: the volume is full')),
      );
      await submitAll(people(10, 'old.test').slice(5));
      gate.open = true;
      await until('what is in the spool', () => sink.mails.length >= 5);
      rmSync(ballast);
      await until('all', () => sink.mails.length === 10, 40_000);
      await until('the spool to be empty', () => pod.statement().spool.entries === 0);
      expect(arrived(sink)).toEqual(people(10, 'old.test'));
      expect(pod.readiness.obstacles).toEqual([]);
    },
    90_000,
  );
});

describe('suppression in PostgreSQL', () => {
  test('while it is away nothing is sent; then mail flows, and not to who was suppressed meanwhile', async () => {
    const postgres = await startPostgres();
    const database = openDatabase(postgres.url, { name: 'delivery' });
    fixture.afterwards(async () => {
      await database.end();
      await postgres.remove();
    });
    await migrate(database);
    await createAccount(database, 'acme');
    let lookups = 0;
    const pod = await fixture.pod('asking', {
      suppressed: (pairs) => {
        lookups++;
        return suppressed(database, pairs);
      },
    });
    const gate = closedAtFirst();
    const sink = await fixture.sink('one.test', gate.behaviour);
    await submitAll([...people(4, 'one.test'), 'Gone@one.test']);
    await until('all to wait', () => pod.statement().spool.entries === 5);
    expect(await addSuppressed(database, 'acme', ['gone@one.test'])).toBe(1);
    const admin = openDatabase(postgres.url.replace(/postfleet$/, 'postgres'), {
      name: 'admin',
      connections: 1,
    });
    await admin.query('alter database postfleet allow_connections false');
    await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'postfleet'");
    gate.open = true;
    await until('the pod to say so', () =>
      pod.readiness.obstacles.some((why) => why.startsWith('suppression')),
    );
    await fixture.submit(['new@one.test']);
    const asked = lookups;
    await until('a further question without an answer', () => lookups > asked);
    expect(sink.mails).toHaveLength(0);
    await admin.query('alter database postfleet allow_connections true');
    await admin.end();
    await until('all but one to arrive', () => sink.mails.length === 5, 30_000);
    await until('the spool to be empty', () => pod.statement().spool.entries === 0);
    expect(arrived(sink)).toEqual(['new@one.test', ...people(4, 'one.test')]);
    expect(await ends(pod, 'suppressed')).toBe(1);
    expect(pod.readiness.obstacles).toEqual([]);
  }, 90_000);

  test('an answer that is cut off is none', async () => {
    let cut = true;
    const pod = await fixture.pod('cut', {
      suppressed: async (pairs) => pairs.slice(cut ? 1 : 0).map(() => false),
    });
    const sink = await fixture.sink('one.test');
    await fixture.submit(['a@one.test']);
    await until('the pod to say so', () =>
      pod.readiness.obstacles.some((why) => why.includes('0 answers to 1')),
    );
    expect(sink.mails).toHaveLength(0);
    cut = false;
    await until('it to arrive', () => sink.mails.length === 1);
  });
});
