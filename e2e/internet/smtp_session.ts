// One SMTP session of a mail exchanger (RFC 5321): reads commands, asks the behaviour, records, answers.
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type SecureContext, TLSSocket } from 'node:tls';
import { answerDot, answerRcpt, type Behaviour, type DotAnswer, type Stage } from './behaviour.ts';
import { headerBlock, headerValue, TEST_ID } from './headers.ts';
import { LineReader } from './line_reader.ts';
import type { Outcome, Session } from './record.ts';
import type { Recorder } from './recorder.ts';
import type { Sightings } from './sightings.ts';

export interface SessionParts {
  readonly hostname: string;
  readonly address: string;
  /** Asked anew at each step: behaviour can change at run time. */
  readonly behaviour: () => Behaviour;
  readonly context: () => SecureContext | null;
  readonly recorder: Recorder;
  readonly sightings: Sightings;
  /** A client that says nothing for so long is left (RFC 5321 §4.5.3.2.7, which gives it five minutes). */
  readonly idleMs: number;
}

interface Envelope {
  readonly from: string;
  readonly smtpUtf8: boolean;
  readonly recipients: string[];
}

export class SmtpSession {
  readonly #parts: SessionParts;
  /** Taken at the beginning: a socket whose client has gone does not know it any more. */
  readonly #source: string;
  #socket: Socket;
  #reader: LineReader;
  #ehlo = '';
  #tls: string | null = null;
  #envelope: Envelope | null = null;
  #messages = 0;
  /** The reply to a message that was taken, until the client shows that it has read it. */
  #told: { readonly of: readonly number[]; readonly sentAt: number | null } | null = null;

  constructor(socket: Socket, parts: SessionParts) {
    this.#parts = parts;
    this.#socket = socket;
    this.#source = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    this.#reader = new LineReader(socket);
  }

  /** Serves until the client leaves. Never rejects on what a client does. */
  async run(): Promise<void> {
    await this.#reply(`220 ${this.#parts.hostname} ESMTP`, 'connect');
    for (let line = await this.#line(); line !== null; line = await this.#line()) {
      const [, verb = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(line) ?? [];
      this.#answered(true);
      if (!(await this.#command(verb.toUpperCase(), rest))) break;
    }
    this.#answered(false);
    this.#socket.end();
  }

  /** A client whose address has gone to another node cannot even say that it leaves. */
  async #line(): Promise<string | null> {
    const socket = this.#socket;
    const leave = () => socket.destroy();
    socket.setTimeout(this.#parts.idleMs, leave);
    return this.#reader.line().finally(() => socket.setTimeout(0, leave));
  }

  /** False ends the session. */
  async #command(verb: string, rest: string): Promise<boolean> {
    if (verb === 'QUIT') return this.#last('221 2.0.0 bye');
    if (verb === 'EHLO' || verb === 'HELO') return this.#hello(verb, rest);
    if (verb === 'STARTTLS') return this.#startTls();
    if (verb === 'MAIL') return this.#mail(rest);
    if (verb === 'RCPT') return this.#rcpt(rest);
    if (verb === 'DATA') return this.#data();
    if (verb === 'RSET') this.#envelope = null;
    const known = verb === 'RSET' || verb === 'NOOP' || verb === 'VRFY';
    return this.#reply(known ? '250 2.0.0 ok' : '500 5.5.2 what?');
  }

  async #hello(verb: string, name: string): Promise<boolean> {
    this.#ehlo = name;
    this.#envelope = null;
    const offers = ['PIPELINING', '8BITMIME', 'ENHANCEDSTATUSCODES', 'SIZE 36700160'];
    if (this.#parts.behaviour().smtpUtf8) offers.push('SMTPUTF8');
    if (!this.#tls && this.#parts.context()) offers.push('STARTTLS');
    const lines = verb === 'EHLO' ? [this.#parts.hostname, ...offers] : [this.#parts.hostname];
    return this.#reply(
      lines.map((line, i) => `250${i < lines.length - 1 ? '-' : ' '}${line}`).join('\r\n'),
      'ehlo',
    );
  }

  async #startTls(): Promise<boolean> {
    const context = this.#parts.context();
    if (!context || this.#tls) return this.#reply('502 5.5.1 not here');
    await this.#reply('220 2.0.0 go ahead');
    this.#reader.detach();
    const secure = new TLSSocket(this.#socket, { isServer: true, secureContext: context });
    const ready = await new Promise<boolean>((resolve) => {
      secure
        .once('secure', () => resolve(true))
        .once('error', () => resolve(false))
        .once('close', () => resolve(false));
    });
    this.#socket = secure;
    this.#reader = new LineReader(secure);
    this.#tls = ready ? secure.getProtocol() : null;
    this.#ehlo = '';
    return ready;
  }

  async #mail(rest: string): Promise<boolean> {
    const { maxMessagesPerConnection: max = Number.POSITIVE_INFINITY } = this.#parts.behaviour();
    if (!this.#ehlo) return this.#reply('503 5.5.1 say EHLO first');
    if (this.#messages >= max) return this.#last(`421 4.7.0 ${max} messages are enough for one connection`);
    const [, from, parameters = ''] = /^FROM:\s*<([^>]*)>(.*)$/i.exec(rest) ?? [];
    if (from === undefined) return this.#reply('501 5.5.4 MAIL FROM:<address>');
    this.#envelope = { from, smtpUtf8: /\bSMTPUTF8\b/i.test(parameters), recipients: [] };
    return this.#reply('250 2.1.0 ok', 'mail');
  }

  async #rcpt(rest: string): Promise<boolean> {
    const envelope = this.#envelope;
    const recipient = /^TO:\s*<([^>]+)>/i.exec(rest)?.[1];
    if (!envelope) return this.#reply('503 5.5.1 MAIL first');
    if (!recipient) return this.#reply('501 5.5.4 RCPT TO:<address>');
    const ages = this.#parts.sightings.ages(this.#source, envelope.from, recipient);
    const reply = answerRcpt(this.#parts.behaviour(), { recipient, smtpUtf8: envelope.smtpUtf8, ...ages });
    if (reply.startsWith('2')) envelope.recipients.push(recipient);
    else
      this.#parts.recorder.attempt({
        ...this.#session(),
        ...{ stage: 'rcpt', from: envelope.from, recipient, outcome: outcomeOf(reply), reply, testId: null },
      });
    return this.#reply(reply, 'rcpt');
  }

  async #data(): Promise<boolean> {
    const envelope = this.#envelope;
    if (!envelope || envelope.recipients.length === 0) return this.#reply('503 5.5.1 no recipients');
    await this.#reply('354 go on', 'data');
    const raw = await this.#reader.message();
    if (raw === null) return false;
    this.#envelope = null;
    this.#messages++;
    const testId = headerValue(headerBlock(raw), TEST_ID);
    const key = `${testId ?? ''} ${envelope.recipients.join(' ')}`;
    const answer = answerDot(this.#parts.behaviour(), key, this.#parts.sightings.drops(key));
    if (answer.take) {
      const { from, recipients } = envelope;
      await this.#parts.recorder.message(
        this.#session(),
        { from, recipients, answered: answer.reply !== null },
        raw,
      );
    }
    const of = this.#recordDot(envelope, answer, testId);
    if (answer.take) this.#told = { of, sentAt: null };
    if (answer.reply !== null) {
      await this.#reply(answer.reply, 'dot');
      if (this.#told) this.#told = { of, sentAt: Date.now() };
      return true;
    }
    this.#parts.sightings.dropped(key);
    this.#socket.destroy();
    return false;
  }

  #recordDot({ from, recipients }: Envelope, { take, reply }: DotAnswer, testId: string | null): number[] {
    const outcome = take ? 'delivered' : outcomeOf(reply ?? '4');
    return recipients.map((recipient) =>
      this.#parts.recorder.attempt({
        ...this.#session(),
        stage: 'dot',
        from,
        recipient,
        outcome,
        reply,
        testId,
      }),
    );
  }

  #answered(read: boolean): void {
    if (this.#told) this.#parts.recorder.answer({ ...this.#told, read });
    this.#told = null;
  }

  #session(): Session {
    const { hostname: mx, address: mxAddress } = this.#parts;
    return { mx, mxAddress, source: this.#source, ehlo: this.#ehlo, tls: this.#tls };
  }

  async #reply(text: string, stage?: Stage): Promise<true> {
    const wait = stage && this.#parts.behaviour().delayMs?.[stage];
    if (wait) await delay(wait);
    this.#socket.write(`${text}\r\n`);
    return true;
  }

  async #last(text: string): Promise<false> {
    await this.#reply(text);
    return false;
  }
}

const outcomeOf = (reply: string): Outcome => (reply.startsWith('5') ? 'refused' : 'deferred');
