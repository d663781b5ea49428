import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { freePorts } from '../rig/ports.ts';
import { until } from '../rig/process.ts';
import { MailExchanger } from './mx.ts';
import { Openings } from './openings.ts';

test('a client that says nothing any more is left, and its place is free again', async () => {
  const [port = 0] = await freePorts(1);
  const nothing = {} as never;
  const mx = new MailExchanger({
    ...{ hostname: 'mx.example', address: '127.0.0.1', port, behaviour: { maxConnections: 1 }, idleMs: 200 },
    ...{ certificate: () => null, recorder: nothing, sightings: nothing, openings: new Openings() },
  });
  await mx.listen();
  const clients: Socket[] = [];
  const greeting = async () => {
    // Like one whose address is gone: it neither speaks nor closes.
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const [text] = await once(socket, 'data');
    clients.push(socket);
    return String(text);
  };
  expect(await greeting()).toMatch(/^220/);
  expect(await greeting()).toMatch(/^421/);
  await until('its place', async () => (await greeting()).startsWith('220'));
  for (const client of clients) client.destroy();
  await mx.close();
}, 10_000);
