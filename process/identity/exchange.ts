// Asks the operator for a certificate: this pod's projected token and a request in, a certificate out.
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import type { Credentials } from './credentials.ts';
import { newRequest } from './request.ts';
import { clientTls } from './tls.ts';

/** The operator answered, but not with a certificate. */
export class IdentityRefused extends Error {
  override readonly name = 'IdentityRefused';
  readonly status: number;

  constructor(status: number, detail: string) {
    super(`the operator gives no certificate (${status}): ${detail}`);
    this.status = status;
  }
}

export interface ExchangeSettings {
  /** `https://…/v1/identity` */
  readonly url: string;
  readonly tokenFile: string;
  readonly caFile: string;
}

const TIMEOUT_MS = 15_000;
const LONGEST_ANSWER = 64 * 1024;

/**
 * Makes a new key and has it certified. Token and authority are read each time: both are rotated in place.
 * @throws IdentityRefused, or the error of reading or connecting
 */
export async function obtainCredentials(settings: ExchangeSettings): Promise<Credentials> {
  const [token, ca] = await Promise.all([
    readFile(settings.tokenFile, 'utf8'),
    readFile(settings.caFile, 'utf8'),
  ]);
  const { key, csr } = await newRequest();
  const { status, body } = await post(settings.url, token.trim(), ca, csr);
  if (status !== 200) throw new IdentityRefused(status, body.slice(0, 500));
  return { cert: body, key, ca };
}

function post(
  url: string,
  token: string,
  ca: string,
  csr: string,
): Promise<{ readonly status: number; readonly body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/x-pem-file' };
  const sent = request(
    url,
    {
      ...clientTls({ ca }, { role: 'operator' }),
      method: 'POST',
      headers,
      agent: false,
      timeout: TIMEOUT_MS,
    },
    (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
        if (body.length > LONGEST_ANSWER) sent.destroy(new Error('the answer is too long'));
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body })).on('error', reject);
    },
  );
  sent.on('timeout', () => sent.destroy(new Error(`no answer from ${url} within ${TIMEOUT_MS} ms`)));
  sent.on('error', reject).end(csr);
  return promise;
}
