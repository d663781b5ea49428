// The metrics and health server of a role: /metrics, /livez, /readyz. Readiness is a set of named reasons why not.
import { createServer, type Server } from 'node:http';
import { register } from 'prom-client';

/** What stands in the way of being ready, by name. Empty: ready. */
export class Readiness {
  readonly #obstacles = new Map<string, string>();

  /** States an obstacle, or with null that it is gone. */
  set(name: string, obstacle: string | null): void {
    if (obstacle === null) this.#obstacles.delete(name);
    else this.#obstacles.set(name, obstacle);
  }

  get obstacles(): readonly string[] {
    return [...this.#obstacles].map(([name, why]) => `${name}: ${why}`);
  }
}

/** Serves /metrics, /livez and /readyz on `port`; 503 lists the obstacles one a line. */
export function serveHealth(port: number, readiness: Readiness): Promise<Server> {
  const server = createServer(async (request, response) => {
    // Without the query: scrapers may add parameters.
    const [path] = (request.url ?? '').split('?', 1);
    if (path === '/metrics') {
      response.setHeader('content-type', register.contentType).end(await register.metrics());
    } else if (path === '/livez') {
      response.end('ok\n');
    } else if (path === '/readyz') {
      const { obstacles } = readiness;
      response
        .writeHead(obstacles.length ? 503 : 200)
        .end(obstacles.length ? `${obstacles.join('\n')}\n` : 'ok\n');
    } else {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve, reject) => server.once('error', reject).listen(port, () => resolve(server)));
}
