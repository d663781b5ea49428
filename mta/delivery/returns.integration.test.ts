// A greylisted message whose own address is busy while another is free, over a real egress and sockets.
import type { Socket } from 'node:net';
import { until } from '../../e2e/rig/servers.ts';
import { refusals } from '../egress/metrics.ts';
import { type Fixture, startFixture } from './fixture.ts';
import { rawHost } from './rawhost.fixture.ts';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
}, 60_000);
afterEach(() => fixture?.reset(), 60_000);
afterAll(() => fixture?.stop(), 30_000);

/** A host that greylists what is for `grey` once, and answers the final dot of what is for `slow` when it is told. */
async function startHost(domain: string) {
  const address = fixture.host();
  const recipients = new Map<Socket, string>();
  const taken: { readonly recipient: string; readonly from: string }[] = [];
  const seen = { greyFrom: '', slow: [] as Socket[] };
  const take = (socket: Socket) => {
    taken.push({ recipient: recipients.get(socket) ?? '', from: socket.remoteAddress ?? '' });
    socket.write('250 taken\r\n');
  };
  const host = await rawHost(address, fixture.smtpPort, {
    answer: (line, socket) => {
      const recipient = /^RCPT TO:<(.*?)@/.exec(line)?.[1];
      if (!recipient) return undefined;
      recipients.set(socket, recipient);
      if (recipient !== 'grey' || seen.greyFrom) return undefined;
      seen.greyFrom = socket.remoteAddress ?? '';
      return '451 4.7.1 greylisted, come back';
    },
    dot: (socket) => {
      if (recipients.get(socket) === 'slow') seen.slow.push(socket);
      else take(socket);
    },
  });
  fixture.afterwards(() => host.stop());
  fixture.mx.set(domain, { kind: 'hosts', hosts: [{ preference: 10, host: address }] });
  return { seen, taken, take };
}

const refused = async (address: string) =>
  (await refusals.get()).values
    .filter(({ labels }) => labels.reason === 'ConnectionLimit' && labels.address === address)
    .reduce((sum, { value }) => sum + value, 0);

test('it waits for its own address, and does not leave by another that is free', async () => {
  const pod = await fixture.pod('a');
  await fixture.policy(pod, {
    shaping: { default: { connections: 1 } },
    retry: { intervals: ['4s'], jitter: 0 },
  });
  const { seen, taken, take } = await startHost('grey.test');
  await fixture.submit(['grey@grey.test']);
  await until('it to be greylisted', () => seen.greyFrom !== '');
  // It goes over the connection that is open, so the other address has never been used.
  await fixture.submit(['slow@grey.test']);
  await until('its address to be busy', () => seen.slow.length === 1);
  const [busy] = seen.slow as [Socket];
  expect(busy.remoteAddress).toBe(seen.greyFrom);
  const before = await refused(seen.greyFrom);
  await until('it to be tried again', async () => (await refused(seen.greyFrom)) > before);
  take(busy);
  await until('it to arrive', () => taken.some(({ recipient }) => recipient === 'grey'));
  expect(taken.find(({ recipient }) => recipient === 'grey')).toEqual({
    recipient: 'grey',
    from: seen.greyFrom,
  });
}, 40_000);
