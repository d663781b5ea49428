// A client that says exactly what it is told, for the tests of the SMTP door.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export class Client {
  #socket: Socket;
  #received = '';
  #waiting: (() => void) | null = null;
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen(socket);
  }

  /** Connects; `tls` from the start or plain. */
  static async connect(port: number, tls = false): Promise<Client> {
    const socket = tls
      ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
      : connect(port, '127.0.0.1');
    const client = new Client(socket);
    await client.reply();
    return client;
  }

  /** Connected by TLS, greeted and authenticated. */
  static async authenticated(port: number, user: string, password: string): Promise<Client> {
    const client = await Client.connect(port, true);
    await client.say('EHLO client.example');
    await client.say(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`);
    return client;
  }

  async startTls(): Promise<void> {
    await this.say('STARTTLS');
    this.#socket.removeAllListeners('data');
    const socket = connectTls({ socket: this.#socket, rejectUnauthorized: false });
    this.#listen(socket);
    this.#socket = socket;
    await once(socket, 'secureConnect');
  }

  write(text: string | Buffer): void {
    this.#socket.write(text);
  }

  /** The next whole reply, its lines joined by \n; `closed` when the connection ends instead. */
  async reply(): Promise<string> {
    for (;;) {
      const whole = /^(?:\d{3}-[^\r\n]*\r\n)*\d{3}(?: [^\r\n]*)?\r\n/.exec(this.#received)?.[0];
      if (whole) {
        this.#received = this.#received.slice(whole.length);
        return whole.trimEnd().replaceAll('\r\n', '\n');
      }
      if (this.#closed) return 'closed';
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }

  say(command: string): Promise<string> {
    this.write(`${command}\r\n`);
    return this.reply();
  }

  /** A whole transaction; gives the last reply that is not 2xx, or the one to the message. */
  async send(from: string, to: readonly string[], message: string | Buffer): Promise<string> {
    for (const command of [`MAIL FROM:<${from}>`, ...to.map((one) => `RCPT TO:<${one}>`), 'DATA']) {
      const reply = await this.say(command);
      if (!/^[23]/.test(reply)) return reply;
    }
    this.write(message);
    return this.say(message.toString('latin1').endsWith('\r\n') ? '.' : '\r\n.');
  }

  end(): void {
    this.#socket.destroy();
  }

  #listen(socket: Socket): void {
    const wake = () => {
      this.#waiting?.();
      this.#waiting = null;
    };
    socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
      wake();
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#closed = true;
      wake();
    });
  }
}
