// A node of bringup.integration.test.ts, run inside a network namespace: brings addresses up and down as its input says, and
// answers every connection to port 2525 with its name. `node bringup.fixture.ts NAME INTERFACE`; lines: `raise ADDRESS MS`, `lower ADDRESS`.
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { announce } from './announce.ts';
import { broughtUpPresence } from './bringup.ts';
import { linkFor } from './interfaces.ts';
import { ipLinks } from './links.ts';
import type { Presence } from './presence.ts';

const [name = '', link = ''] = process.argv.slice(2);
const links = ipLinks();
const presences = new Map<string, Presence>();
const presenceOf = (address: string): Presence => {
  const known = presences.get(address);
  if (known) return known;
  const made = broughtUpPresence(address, `interface ${link}`, {
    links,
    link: () => linkFor({ interface: link }),
    announce,
    now: () => performance.now(),
    later: (ms, run) => setTimeout(run, ms).unref(),
    warn: (error) => console.log(`warned ${(error as Error).message}`),
  });
  presences.set(address, made);
  return made;
};

createServer((socket) => socket.on('error', () => {}).end(name)).listen(2525, '::', () =>
  console.log('ready'),
);
for await (const line of createInterface({ input: process.stdin })) {
  const [what, address = '', ms] = line.split(' ');
  const presence = presenceOf(address);
  try {
    await (what === 'raise' ? presence.raise(Number(ms)) : presence.lower());
    console.log(`done ${line}`);
  } catch (error) {
    console.log(`failed ${line}: ${(error as Error).message}`);
  }
}
process.exit(0);
