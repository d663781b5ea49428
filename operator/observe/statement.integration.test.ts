import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { writeCredentials } from '../../process/identity/folder.ts';
import type { Role } from '../../process/identity/name.ts';
import { peerIdentity } from '../../process/identity/peer.ts';
import { type Authority, createAuthority } from '../authority/authority.ts';
import { obedientStatement, podView } from '../decide/scripted-world.ts';
import { statementAsker } from './statement.ts';

const pod = podView(1, { ip: '127.0.0.1' });
const identity = (role: Role, uid: string) => ({ namespace: 'mail', role, pool: 'demo', pod: pod.name, uid });

let authority: Authority;
let folder: string;
const servers: Server[] = [];
beforeAll(async () => {
  authority = await createAuthority();
  folder = await mkdtemp(join(tmpdir(), 'postfleet-operator-'));
  await writeCredentials(folder, await authority.issueLocal(identity('operator', 'op')));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});
afterAll(() => rm(folder, { recursive: true }));

async function podThat(answers: string | null, role: Role = 'delivery', uid = pod.uid, by = authority) {
  const { cert, key, ca } = await by.issueLocal(identity(role, uid));
  const server = createServer(
    { cert, key, ca, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      const caller = peerIdentity(request.socket as TLSSocket);
      if (answers !== null && caller?.role === 'operator') response.end(answers);
    },
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return statementAsker(folder, (server.address() as AddressInfo).port);
}

const whole = JSON.stringify(obedientStatement(pod, null));

test('the pod itself is believed', async () => {
  const ask = await podThat(whole);
  expect(await ask(pod)).toMatchObject({ kind: 'statement', statement: { uid: pod.uid } });
});

test('another incarnation is not, whatever it says of itself', async () => {
  const ask = await podThat(whole, 'delivery', 'uid-before');
  expect(await ask(pod)).toMatchObject({ kind: 'unknown', reason: 'WrongUid' });
});

test.each<[string, () => Promise<Awaited<ReturnType<typeof podThat>>>]>([
  ['another role', () => podThat(whole, 'egress')],
  [
    'a certificate of another authority',
    async () => podThat(whole, 'delivery', pod.uid, await createAuthority()),
  ],
  ['no answer in time', () => podThat(null)],
  ['nobody listens', async () => statementAsker(folder, 1)],
])('%s is unreachable', async (_, make) => {
  const ask = await make();
  expect(await ask(pod)).toMatchObject({ kind: 'unknown', reason: 'Unreachable' });
});
