import { durabilityObstacle, type ServerReport } from './durability.ts';

const good: ServerReport = {
  server_id: 'A',
  config: { sync_always: true },
  meta_cluster: { cluster_size: 3 },
};

describe('durabilityObstacle', () => {
  test.each([
    ['three synced servers', good, 3, null],
    ['one synced server, small profile', { server_id: 'A', config: { sync_always: true } }, 1, null],
    ['lazy sync', { ...good, config: { sync_always: false } }, 3, /before it syncs/],
    ['no JetStream', { server_id: 'A' }, 1, /not enabled/],
    ['too few servers', { ...good, meta_cluster: { cluster_size: 1 } }, 3, /1 NATS server/],
    ['another server', { ...good, server_id: 'B' }, 3, /another server/],
  ])('%s', (_, report, replicas, expected) => {
    const obstacle = durabilityObstacle(report as ServerReport, 'A', { replicas });
    if (expected === null) expect(obstacle).toBeNull();
    else expect(obstacle).toMatch(expected);
  });
});
