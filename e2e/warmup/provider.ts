// A mailbox provider on loopback that counts which source address it took recipients from, and can dislike one of them.
import { type Sink, startSink } from '../../mta/delivery/sink.fixture.ts';

export const PROVIDER_HOST = '127.0.7.1';

export class Provider {
  /** Recipients taken, by recipient domain and source address. */
  readonly taken = new Map<string, number>();
  /** By source address, the reply it gets at RCPT. */
  readonly dislikes = new Map<string, { readonly code: number; readonly text: string }>();
  #sink: Sink | null = null;

  async start(): Promise<void> {
    this.#sink = await startSink(PROVIDER_HOST, 25, {
      onRcptTo: (_, session, done) => {
        const reply = this.dislikes.get(session.remoteAddress);
        done(reply ? Object.assign(new Error(reply.text), { responseCode: reply.code }) : null);
      },
      onData: (stream, session, done) => {
        stream.resume();
        stream.on('end', () => {
          for (const { address } of session.envelope.rcptTo) {
            const key = `${address.split('@')[1]} ${session.remoteAddress}`;
            this.taken.set(key, (this.taken.get(key) ?? 0) + 1);
          }
          done();
        });
      },
    });
  }

  from(domain: string, source: string): number {
    return this.taken.get(`${domain} ${source}`) ?? 0;
  }

  stop = async (): Promise<void> => this.#sink?.stop();
}
