// Delivery over a real nats-server, a real egress, a real spool and SMTP servers on loopback.

import { until } from '../../e2e/rig/servers.ts';
import { type Behaviour, type Fixture, type Pod, startFixture } from './fixture.ts';

let fixture: Fixture;

beforeAll(async () => {
  fixture = await startFixture();
}, 60_000);
afterEach(() => fixture?.reset(), 30_000);
afterAll(() => fixture?.stop(), 30_000);

describe('fast path', () => {
  test('each message arrives once, is acknowledged, and never touches the spool', async () => {
    const pod = await fixture.pod('a');
    const sink = await fixture.sink('one.test');
    await Promise.all(Array.from({ length: 50 }, (_, n) => fixture.submit([`user${n}@one.test`])));
    await until('all to arrive', () => sink.mails.length === 50);
    await until('all to be acknowledged', async () => (await fixture.stored()) === 0);
    expect(new Set(sink.mails.map(({ to }) => to.join())).size).toBe(50);
    await until('the pod to know', () => pod.statement().unacknowledged === 0);
    expect(pod.statement().spool.entries).toBe(0);
    expect(sink.connections).toBeLessThan(50);
  });
});

/** Refuses the first attempt for each recipient from each source address with a 450, as greylisting does. */
function greylisting(): Behaviour {
  const seen = new Set<string>();
  return {
    onRcptTo: ({ address }, { remoteAddress }, done) => {
      const again = seen.has(`${address} ${remoteAddress}`);
      seen.add(`${address} ${remoteAddress}`);
      done(again ? null : smtpError(450, '4.7.1 greylisted, come back'));
    },
  };
}
const smtpError = (responseCode: number, message: string) =>
  Object.assign(new Error(message), { responseCode });
const ends = (pod: Pod, result: string) => pod.metric('postfleet_delivery_recipients_total', { result });

describe('what does not go at once', () => {
  test('a greylisted recipient waits in the spool and returns from the same address', async () => {
    const pod = await fixture.pod('a');
    const sink = await fixture.sink('grey.test', greylisting());
    await Promise.all(Array.from({ length: 10 }, (_, n) => fixture.submit([`user${n}@grey.test`])));
    await until('all to arrive', () => sink.mails.length === 10);
    await until('the spool to be empty', () => pod.statement().spool.entries === 0);
    expect(new Set(sink.mails.map(({ to }) => to.join())).size).toBe(10);
    expect(await fixture.stored()).toBe(0);
    expect(await ends(pod, 'deferred')).toBe(10);
    expect(await ends(pod, 'delivered')).toBe(10);
  });

  test('several destinations and a mixed result: each recipient ends once, as it should', async () => {
    const pod = await fixture.pod('a');
    const bounced = await fixture.bounces();
    const accepting = await fixture.sink('good.test');
    const mixed = await fixture.sink('mixed.test', {
      onRcptTo: ({ address }, _, done) =>
        done(address.startsWith('gone') ? smtpError(550, '5.1.1 no such user') : null),
    });
    fixture.suppression.addresses.add('never@good.test');
    fixture.mx.set('null.test', { kind: 'null-mx' });
    await fixture.submit([
      'a@good.test',
      'never@good.test',
      'b@mixed.test',
      'gone@mixed.test',
      'x@null.test',
    ]);
    await until('every recipient to end', async () => (await ends(pod, 'bounced')) === 2);
    await until('the spool to be empty', () => pod.statement().spool.entries === 0);
    expect(accepting.mails.map(({ to }) => to)).toEqual([['a@good.test']]);
    expect(mixed.mails.map(({ to }) => to)).toEqual([['b@mixed.test']]);
    expect(await ends(pod, 'delivered')).toBe(2);
    expect(await ends(pod, 'suppressed')).toBe(1);
    expect(await fixture.bounces()).toBe(bounced + 2);
  });

  test('a refused notification ends without a bounce', async () => {
    const pod = await fixture.pod('a');
    await fixture.sink('no.test', { onRcptTo: (_, __, done) => done(smtpError(550, '5.1.1 no such user')) });
    const bounced = await fixture.bounces();
    await fixture.submit(['a@no.test'], { from: '', isNotification: true });
    await until('it to end', async () => (await ends(pod, 'bounced')) === 1);
    expect(await fixture.bounces()).toBe(bounced);
  });

  test('a connection lost after the final dot is deferred and counted as possibly repeated', async () => {
    const pod = await fixture.pod('a');
    let drops = 1;
    const taken: string[] = [];
    const sink = await fixture.sink('drop.test', {
      onData: (stream, session, done) => {
        stream.resume();
        stream.on('end', () => {
          taken.push(session.id);
          if (drops-- > 0) sink.cut();
          else done();
        });
      },
    });
    await fixture.submit(['a@drop.test']);
    await until('the second attempt', async () => (await ends(pod, 'delivered')) === 1);
    expect(taken).toHaveLength(2);
    expect(await pod.metric('postfleet_possibly_repeated_total')).toBe(1);
  });

  test('nothing goes to a recipient that cannot be checked, and all goes once it can', async () => {
    const pod = await fixture.pod('a');
    const sink = await fixture.sink('one.test');
    fixture.suppression.down = true;
    await Promise.all(Array.from({ length: 5 }, (_, n) => fixture.submit([`user${n}@one.test`])));
    await until('the pod to say so', () =>
      pod.readiness.obstacles.some((why) => why.startsWith('suppression')),
    );
    expect(sink.mails).toHaveLength(0);
    fixture.suppression.down = false;
    await until('all to arrive', () => sink.mails.length === 5);
    expect(pod.readiness.obstacles).toEqual([]);
  });
});

describe('repeats', () => {
  test('a hop id that is held or finished is only acknowledged again', async () => {
    const pod = await fixture.pod('a');
    const sink = await fixture.sink('one.test');
    const grey = await fixture.sink('grey.test', greylisting());
    const [first, second] = [await fixture.submit(['a@one.test']), await fixture.submit(['b@grey.test'])];
    await until('one to be delivered and one to wait', async () => {
      return (await ends(pod, 'delivered')) === 1 && pod.statement().spool.entries === 1;
    });
    await fixture.publish(first, 'repeat-1');
    await fixture.publish(second, 'repeat-2');
    await until('the repeats to be acknowledged', async () => (await fixture.stored()) === 0);
    await until('the spool to be empty', () => pod.statement().spool.entries === 0);
    expect([sink.mails.length, grey.mails.length]).toEqual([1, 1]);
  });

  test('a pod that is killed delivers from its spool when it is back, and nothing twice', async () => {
    const first = await fixture.pod('a');
    const sink = await fixture.sink('grey.test', greylisting());
    await Promise.all(Array.from({ length: 20 }, (_, n) => fixture.submit([`user${n}@grey.test`])));
    await until('all to wait', () => first.statement().spool.entries === 20 || sink.mails.length > 0);
    await first.crash();
    const second = await fixture.pod('a', { assign: false });
    await fixture.assign(() => fixture.allTo(second, false));
    await until('all to arrive', () => sink.mails.length >= 20);
    await until('the spool to be empty', () => second.statement().spool.entries === 0);
    expect(new Set(sink.mails.map(({ to }) => to.join())).size).toBe(20);
    expect(sink.mails).toHaveLength(20);
  });

  test('mail that was only in memory of a killed pod comes again to its successor', async () => {
    const first = await fixture.pod('a');
    const gate = Promise.withResolvers<void>();
    const sink = await fixture.sink('slow.test', {
      onRcptTo: (_, __, done) => void gate.promise.then(() => done()),
    });
    await Promise.all(Array.from({ length: 5 }, (_, n) => fixture.submit([`user${n}@slow.test`])));
    await until('attempts to be under way', () => first.statement().inFlight > 0);
    await first.crash();
    gate.resolve();
    const second = await fixture.pod('b', { assign: false });
    await fixture.assign(() => fixture.allTo(second, false));
    await until('all to arrive', () => sink.mails.length === 5, 60_000);
    await until('all to be acknowledged', async () => (await fixture.stored()) === 0);
    expect(new Set(sink.mails.map(({ to }) => to.join())).size).toBe(5);
  }, 90_000);
});

describe('drain', () => {
  test('a hand-over loses and repeats nothing, and the statement says when it is over', async () => {
    const leaving = await fixture.pod('a');
    const peer = await fixture.pod('b', { assign: false });
    let open = false;
    const sink = await fixture.sink('later.test', {
      onRcptTo: (_, __, done) => done(open ? null : smtpError(451, '4.3.2 not now')),
    });
    await Promise.all(Array.from({ length: 30 }, (_, n) => fixture.submit([`user${n}@later.test`])));
    await until('all to wait', async () => (await ends(leaving, 'deferred')) >= 30);
    const cordoned = { pod: leaving.name, uid: leaving.uid, cordoned: true, handOver: false };
    const member = { pod: peer.name, uid: peer.uid, cordoned: false, handOver: false };
    await fixture.assign(({ shards }) => ({
      members: [cordoned, member],
      shards: shards.map((shard) => ({ ...shard, releasing: true })),
    }));
    await until('the pod to hold no shard', () => {
      const { assignmentRevision, held, unacknowledged } = leaving.statement();
      return assignmentRevision === fixture.assignment.revision && held.length === 0 && unacknowledged === 0;
    });
    await fixture.assign(() => ({
      ...fixture.allTo(peer),
      members: [{ ...cordoned, handOver: true }, member],
    }));
    await until('the spool to be handed over', () => leaving.statement().spool.entries === 0);
    expect(leaving.statement()).toMatchObject({ unacknowledged: 0, inFlight: 0, handedOver: 30, held: [] });
    await until('the peer to hold all', () => peer.statement().spool.entries === 30);
    open = true;
    await until('all to arrive', () => sink.mails.length === 30);
    await until('the peer to be done', () => peer.statement().spool.entries === 0);
    expect(new Set(sink.mails.map(({ to }) => to.join())).size).toBe(30);
    expect(await fixture.stored()).toBe(0);
  });

  test('an attempt under way when the pod is cordoned goes on from the spool', async () => {
    const pod = await fixture.pod('a');
    const gate = Promise.withResolvers<void>();
    const sink = await fixture.sink('slow.test', {
      onRcptTo: (_, __, done) => void gate.promise.then(() => done()),
    });
    await fixture.submit(['a@slow.test']);
    await until('the attempt', () => pod.statement().inFlight === 1);
    await fixture.assign(({ members }) => ({ members: members.map((one) => ({ ...one, cordoned: true })) }));
    await until('all to be acknowledged', () => {
      const { assignmentRevision, held, unacknowledged } = pod.statement();
      return assignmentRevision === fixture.assignment.revision && unacknowledged === 0 && held.length === 0;
    });
    expect(pod.statement()).toMatchObject({ cordoned: true, inFlight: 1, held: [], spool: { entries: 1 } });
    expect(await fixture.stored()).toBe(0);
    gate.resolve();
    await until('the spool to be empty', () => pod.statement().spool.entries === 0);
    expect(sink.mails).toHaveLength(1);
  });
});

describe('stopping', () => {
  test('sessions before the final dot are aborted, those past it are waited for', async () => {
    const pod = await fixture.pod('a');
    const gate = Promise.withResolvers<void>();
    const early = await fixture.sink('early.test', { onRcptTo: () => {} });
    const late: string[] = [];
    await fixture.sink('late.test', {
      onData: (stream, session, done) => {
        stream.resume();
        stream.on('end', () => {
          late.push(session.id);
          void gate.promise.then(() => done());
        });
      },
    });
    await fixture.submit(['a@early.test']);
    await fixture.submit(['b@late.test']);
    await until('one to be past the dot', () => late.length === 1 && pod.statement().inFlight === 2);
    const stopped = pod.stop(20_000);
    await until(
      'the early one to be aborted',
      () => early.mails.length === 0 && pod.statement().inFlight === 1,
    );
    gate.resolve();
    await stopped;
    expect(await ends(pod, 'delivered')).toBe(1);
    // The aborted one is back in its stream, the other acknowledged.
    expect(await fixture.stored()).toBe(1);
    expect(late).toHaveLength(1);
  });
});

describe('NATS away', () => {
  test('the spool goes on being delivered, bounces wait, and all ends once NATS is back', async () => {
    const pod = await fixture.pod('a');
    const sink = await fixture.sink('grey.test', greylisting());
    let refuse = false;
    await fixture.sink('soon-gone.test', {
      onRcptTo: (_, __, done) => done(refuse ? smtpError(550, '5.1.1 gone') : smtpError(450, '4.2.0 wait')),
    });
    await fixture.submit(['a@grey.test']);
    await fixture.submit(['b@soon-gone.test']);
    await until('both to wait', async () => (await ends(pod, 'deferred')) >= 2);
    const bounced = await fixture.bounces();
    await fixture.nats.nodes[0]?.stop('SIGKILL');
    refuse = true;
    await until('the spooled one to arrive', () => sink.mails.length === 1);
    await until('the pod to say that NATS is away', () => pod.statement().spool.entries === 1);
    await fixture.nats.nodes[0]?.start();
    await until('the bounce', async () => (await fixture.bounces().catch(() => 0)) === bounced + 1, 40_000);
    await until('the spool to be empty', () => pod.statement().spool.entries === 0);
    await fixture.submit(['c@grey.test']);
    await until('mail to flow again', () => sink.mails.length === 2, 30_000);
  }, 90_000);
});
