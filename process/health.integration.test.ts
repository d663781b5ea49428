import type { AddressInfo } from 'node:net';
import { Readiness, serveHealth } from './health.ts';

test.each([
  ['/metrics', 200],
  ['/metrics?timeout=40s', 200],
  ['/livez?verbose', 200],
  ['/readyz', 503],
  ['/other', 404],
])('%s answers %d', async (path, status) => {
  const readiness = new Readiness();
  readiness.set('nats', 'not connected');
  const server = await serveHealth(0, readiness);
  try {
    const { port } = server.address() as AddressInfo;
    expect((await fetch(`http://127.0.0.1:${port}${path}`)).status).toBe(status);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
