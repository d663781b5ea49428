// Throwaway certificates for the API server of tests: one authority, one server, one administrator. openssl does the work.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];

/** Writes ca, server, admin and service-account keys into `folder`: `{ca,server,admin}.{crt,key}`, `sa.key`, `sa.pub`. */
export async function writePki(folder: string): Promise<void> {
  const path = (file: string): string => join(folder, file);
  await writeFile(path('openssl.cnf'), '[req]\ndistinguished_name = dn\n[dn]\n');
  const issue = (file: string, subject: string, ...more: string[]) =>
    run('openssl', [
      ...['req', '-x509', '-config', path('openssl.cnf'), ...EC, '-subj', subject, ...more],
      ...['-keyout', path(`${file}.key`), '-out', path(`${file}.crt`)],
    ]);
  await issue('ca', '/CN=test-ca', '-addext', 'basicConstraints=critical,CA:TRUE');
  const signed = ['-CA', path('ca.crt'), '-CAkey', path('ca.key'), '-addext', 'basicConstraints=CA:FALSE'];
  const names = 'DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1';
  await issue('server', '/CN=kube-apiserver', ...signed, '-addext', `subjectAltName=${names}`);
  await issue('admin', '/O=system:masters/CN=admin', ...signed);
  await run('openssl', [
    ...['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', path('sa.key')],
  ]);
  await run('openssl', ['pkey', '-in', path('sa.key'), '-pubout', '-out', path('sa.pub')]);
}
