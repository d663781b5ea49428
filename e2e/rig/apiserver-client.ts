// One plain JSON request to an API server, for tests that look at it from outside the operator.
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';

export interface ApiAnswer {
  readonly status: number;
  // Whatever the API server says; tests look into it as they need.
  // biome-ignore lint/suspicious/noExplicitAny: an answer of any kind
  readonly body: any;
}
export type ApiCall = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<ApiAnswer>;

/** Server-side apply by a test's own field manager: `PATCH <path>?fieldManager=test`. */
export const APPLY = { 'Content-Type': 'application/apply-patch+yaml' };
export const MERGE = { 'Content-Type': 'application/merge-patch+json' };

/** Calls as the user of a kubeconfig with embedded certificates, as `startApiServer` writes it. */
export async function apiCalls(kubeconfigPath: string): Promise<ApiCall> {
  const config = JSON.parse(await readFile(kubeconfigPath, 'utf8'));
  const pem = (text: string): Buffer => Buffer.from(text, 'base64');
  const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster;
  const { 'client-certificate-data': cert, 'client-key-data': key } = config.users[0].user;
  const tls = { ca: pem(ca), cert: pem(cert), key: pem(key), agent: false };
  return (method, path, body, headers = { 'Content-Type': 'application/json' }) =>
    new Promise((resolve, reject) => {
      const call = request(new URL(path, server), { ...tls, method, headers }, async (answer) => {
        try {
          const chunks: Buffer[] = await answer.toArray();
          const text = Buffer.concat(chunks).toString();
          resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) });
        } catch (cause) {
          reject(cause);
        }
      });
      call.on('error', reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
}
