import { startNats, until } from '../../e2e/rig/servers.ts';
import { connectBus } from './client.ts';

const settings = (nats: Awaited<ReturnType<typeof startNats>>, replicas: number) => ({
  POSTFLEET_NATS_URL: nats.env.POSTFLEET_NATS_URL.split(','),
  POSTFLEET_NATS_REPLICAS: replicas,
  POSTFLEET_NATS_MONITOR_URL: nats.env.POSTFLEET_NATS_MONITOR_URL,
  POSTFLEET_IDENTITY_DIR: '/nonexistent',
});

describe('connectBus', () => {
  test('three synced servers are trusted, and again after the connected one is killed', async () => {
    const nats = await startNats({ servers: 3 });
    const seen: (string | null)[] = [];
    const bus = await connectBus(settings(nats, 3), 'test', (obstacle) => seen.push(obstacle));
    try {
      await until('the proof', () => bus.obstacle() === null);
      const connected = nats.nodes.find((node) => bus.nc.getServer() === node.url.replace('nats://', ''));
      await connected?.stop('SIGKILL');
      await until('the loss to be noticed', () => seen.includes('disconnected'));
      await until('the proof at another server', () => bus.obstacle() === null);
      expect(bus.nc.getServer()).not.toBe(connected?.url.replace('nats://', ''));
    } finally {
      await bus.close();
      await nats.stop();
    }
  }, 60_000);

  test.each([
    ['acknowledges before it syncs', '2m', 1, /before it syncs/],
    ['is alone where three are promised', 'always', 3, /profile promises 3/],
  ])('a server that %s is not trusted, with the reason', async (_, syncInterval, replicas, reason) => {
    const nats = await startNats({ syncInterval });
    const bus = await connectBus(settings(nats, replicas), 'test');
    try {
      await until('the verdict', () => reason.test(bus.obstacle() ?? ''));
    } finally {
      await bus.close();
      await nats.stop();
    }
  });
});
