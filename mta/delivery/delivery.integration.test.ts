// Delivery over a real nats-server, a real egress, a real spool and SMTP servers on loopback.

import { until } from '../../e2e/rig/servers.ts';
import { type Fixture, startFixture } from './fixture.ts';

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
    expect(pod.statement()).toMatchObject({ unacknowledged: 0, spool: { entries: 0 } });
    expect(sink.connections).toBeLessThan(50);
  });
});
