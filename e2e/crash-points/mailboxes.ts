// The mail server of the walk: counts what it has taken, and behaves by the local part of the recipient.
import { type Sink, startSink } from '../../mta/delivery/sink.fixture.ts';

const reply = (code: number, text: string) => Object.assign(new Error(text), { responseCode: code });

export class Mailboxes {
  static readonly DOMAINS = ['one.test', 'two.test'];
  /** Addresses `later-…@` that are not deferred any more. */
  readonly open = new Set<string>();
  /** Addresses `grey-…@` that have been deferred once. */
  readonly #greeted = new Set<string>();
  /** While true, what comes for `hold@` is taken and not answered. */
  holding = false;
  readonly #sinks: Sink[] = [];
  readonly #taken: { readonly to: readonly string[]; readonly text: string }[] = [];
  #held: (() => void)[] = [];

  /** Listens on port 25 of the addresses. */
  static async start(hosts: readonly string[]): Promise<Mailboxes> {
    const boxes = new Mailboxes();
    for (const host of hosts)
      boxes.#sinks.push(
        await startSink(host, 25, {
          onRcptTo: ({ address }, _, done) => {
            if (address.startsWith('gone@')) return done(reply(550, '5.1.1 no such mailbox'));
            if (address.startsWith('later-') && !boxes.open.has(address))
              return done(reply(451, '4.3.2 not now'));
            const isNew = address.startsWith('grey-') && !boxes.#greeted.has(address);
            if (isNew) boxes.#greeted.add(address);
            done(isNew ? reply(451, '4.7.1 greylisted') : null);
          },
          onData: (stream, session, done) => {
            const chunks: Buffer[] = [];
            stream.on('data', (chunk: Buffer) => chunks.push(chunk));
            stream.on('end', () => {
              const to = session.envelope.rcptTo.map(({ address }) => address);
              boxes.#taken.push({ to, text: Buffer.concat(chunks).toString() });
              if (boxes.holding && to.some((address) => address.startsWith('hold@'))) boxes.#held.push(done);
              else done();
            });
          },
        }),
      );
    return boxes;
  }

  /** How often a mail with this text in it was taken, over all its recipients. */
  copies(text: string): number {
    return this.#taken.filter((mail) => mail.text.includes(text)).reduce((sum, { to }) => sum + to.length, 0);
  }

  /** Mails to `hold@` that have been taken and not answered. */
  get held(): number {
    return this.#held.length;
  }

  /** Answers them, and holds no more. */
  release(): void {
    this.holding = false;
    for (const done of this.#held.splice(0)) done();
  }

  async stop(): Promise<void> {
    this.release();
    await Promise.all(this.#sinks.map((sink) => sink.stop()));
  }
}
