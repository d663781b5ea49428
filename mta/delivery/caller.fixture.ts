// A delivery pod that only asks for connections and sends as fast as it is let, for the tests that kill it: one line a recipient, which the
// "host" answers. It speaks the dialogue with delivery's own tunnels and reports.
//   node caller.fixture.ts <folder with its certificate> <host's port> <domain> <egress port,…>
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Outcomes } from './outcomes.ts';
import { TunnelRefused, Tunnels } from './tunnel.ts';

const [folder = '', port = '', source = '', egress = '', lying = 'no'] = process.argv.slice(2);
const file = (name: string) => readFileSync(join(folder, name));
const tls = {
  ...{ cert: file('tls.crt'), key: file('tls.key'), ca: file('ca.crt') },
  servername: 'egress.postfleet.internal',
};
const tunnels = new Tunnels(() => tls, Number(port));
const outcomes = new Outcomes(tunnels.report);
const holders = egress
  .split(',')
  .map((one) => ({ pod: one, uid: one, node: '', host: '127.0.0.1', port: Number(one) }));

/** That every other grant of the holder's run was refused and is done. */
function lies(own: string | null) {
  const [run, number] = own?.split(/-(?=\d+$)/) ?? [];
  return Array.from({ length: 200 }, (_, n) => `${run}-${n}`)
    .filter((grant) => grant !== `${run}-${number}`)
    .map((grant) => ({ grant, accepted: 0, deferred: 1_000_000, bounced: 0, done: true }));
}

/** Sends `count` recipients, one after the other. */
async function carry(socket: Socket, count: number, sent: () => void): Promise<void> {
  const replies = createInterface({ input: socket })[Symbol.asyncIterator]();
  for (let n = 0; n < count; n++) {
    socket.write('recipient\n');
    if ((await replies.next()).done) return;
    sent();
  }
}

for (let at = 0; ; ) {
  const holder = holders[at % holders.length] as (typeof holders)[number];
  const ask = {
    holder,
    source,
    host: '127.0.0.1',
    domain: 'test',
    account: 'acme',
    recipients: 40,
    epochs: '',
  };
  try {
    const grant = await tunnels.open(ask);
    const reports = outcomes.of(holder, grant.id);
    grant.socket.on('error', () => {}).once('close', reports.closed);
    await carry(grant.socket, grant.messages, () => {
      reports.begin();
      // One that lies says of grants that are not its own that they were not used.
      if (lying === 'lies') void tunnels.report(holder, lies(grant.id)).catch(() => {});
      reports.finish([{ kind: 'reply', reply: '250 ok', phase: 'dot' }]);
    });
    grant.socket.end();
  } catch (error) {
    const refusal = error instanceof TunnelRefused ? error : null;
    if (!refusal || !/ConnectionLimit|RateLimit/.test(refusal.reason)) at++;
    await delay((refusal?.retryAfterSeconds ?? 0.3) * 1000);
  }
}
