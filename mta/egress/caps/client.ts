// Asks the lender of the pool: one kept connection, over mutual TLS.
import { Agent, request } from 'node:https';
import type { Credentials } from '../../../process/identity/credentials.ts';
import { clientTls } from '../../../process/identity/tls.ts';
import type { AddressLease } from '../../bus/snapshot.ts';
import type { LoansRequest, LoansResponse } from './dialogue.ts';

/** Well under a loan: one provider whose record NATS does not take must not cost the loans of others. */
export const ANSWER_MS = 2500;

export class LoansClient {
  readonly #tls: () => Credentials;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  /** @param tls our certificate, read at each connection */
  constructor(tls: () => Credentials) {
    this.#tls = tls;
  }

  /** Rejects when there is no answer in time; then none is taken any more. */
  ask(lender: AddressLease['holder'], asked: LoansRequest): Promise<LoansResponse> {
    return new Promise((resolve, reject) => {
      const body = JSON.stringify(asked);
      const sent = request(
        {
          ...clientTls(this.#tls(), { role: 'egress', uid: lender.uid }),
          ...{ agent: this.#agent, method: 'POST', host: lender.host, port: lender.port, path: '/v1/loans' },
          headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        },
        async (response) => {
          try {
            const text = (await response.toArray()).join('');
            if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}: ${text}`);
            resolve(JSON.parse(text) as LoansResponse);
          } catch (error) {
            reject(error as Error);
          }
        },
      );
      const late = setTimeout(() => sent.destroy(new Error('no answer')), ANSWER_MS);
      sent.once('close', () => clearTimeout(late));
      sent.once('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
