// The load generator, a process of its own so that its CPU is not counted: `sessions` SMTP sessions, each reused for many
// messages of `bytes`, to `domains` domains in turn. The same for every peer; Postfleet's submission adds STARTTLS and AUTH.
//   node bench/load.ts '{"host":…,"port":…,"messages":…,"sessions":…,"bytes":…,"domains":[…],"from":…,"auth":{…}}'
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';

export interface Load {
  readonly host: string;
  readonly port: number;
  readonly messages: number;
  readonly sessions: number;
  readonly bytes: number;
  readonly domains: readonly string[];
  readonly from: string;
  readonly auth?: { readonly user: string; readonly password: string };
}

/** A dialogue in step: one command, its last reply line. */
class Dialogue {
  readonly #lines: AsyncIterator<string>;
  readonly #socket: Socket;
  constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })[
      Symbol.asyncIterator
    ]();
  }
  async reply(expected: number): Promise<void> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error('the server closed the connection');
      if (value[3] === '-') continue;
      if (!value.startsWith(String(expected))) throw new Error(`expected ${expected}, got ${value}`);
      return;
    }
  }
  send(text: string): void {
    this.#socket.write(text);
  }
}

async function session(load: Load, next: () => number | null): Promise<void> {
  const plain = connect(load.port, load.host).setNoDelay(true);
  let dialogue = new Dialogue(plain);
  const say = async (command: string, code: number) => {
    dialogue.send(`${command}\r\n`);
    await dialogue.reply(code);
  };
  await dialogue.reply(220);
  await say('EHLO load.test', 250);
  let socket: Socket = plain;
  if (load.auth) {
    await say('STARTTLS', 220);
    plain.removeAllListeners('data');
    socket = connectTls({ socket: plain, rejectUnauthorized: false }).setNoDelay(true);
    dialogue = new Dialogue(socket);
    await say('EHLO load.test', 250);
    await say(
      `AUTH PLAIN ${Buffer.from(`\0${load.auth.user}\0${load.auth.password}`).toString('base64')}`,
      235,
    );
  }
  for (let number = next(); number !== null; number = next()) {
    const to = `user${number}@${load.domains[number % load.domains.length]}`;
    dialogue.send(`MAIL FROM:<${load.from}>\r\nRCPT TO:<${to}>\r\nDATA\r\n`);
    await dialogue.reply(250);
    await dialogue.reply(250);
    await dialogue.reply(354);
    dialogue.send(message(load, number, to));
    await dialogue.reply(250);
  }
  dialogue.send('QUIT\r\n');
  await dialogue.reply(221);
  socket.destroy();
}

let filler = '';
function message(load: Load, number: number, to: string): string {
  const head = `From: <${load.from}>\r\nTo: <${to}>\r\nSubject: message ${number}\r\nMessage-ID: <${number}.${process.pid}@load.test>\r\nDate: ${new Date().toUTCString().replace('GMT', '+0000')}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n`;
  const line = 'The quick brown fox jumps over the lazy dog, and does so again and again.\r\n';
  filler ||= line.repeat(Math.ceil(load.bytes / line.length));
  return `${head}${filler.slice(0, Math.floor((load.bytes - head.length) / line.length) * line.length)}.\r\n`;
}

const load = JSON.parse(process.argv[2] as string) as Load;
let given = 0;
const startedAt = Date.now();
await Promise.all(
  Array.from({ length: load.sessions }, () => session(load, () => (given < load.messages ? given++ : null))),
);
// When the first session began, in ms since the epoch.
console.log(JSON.stringify({ startedAt }));
