import { stringify } from 'yaml';
import type { Pair } from '../pki.ts';

/** A kubeconfig with everything in it, so that it can be copied. Pure. */
export function kubeconfig(server: string, authority: string, user: Pair): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'postfleet',
    contexts: [{ name: 'postfleet', context: { cluster: 'postfleet', user: 'postfleet' } }],
    clusters: [{ name: 'postfleet', cluster: { server, 'certificate-authority-data': base64(authority) } }],
    users: [
      {
        name: 'postfleet',
        user: {
          'client-certificate-data': base64(user.certificate),
          'client-key-data': base64(user.key),
        },
      },
    ],
  });
}
