// How tests and the demo talk to the internet's process.
import { Agent, type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import type { Behaviour } from './behaviour.ts';
import type { Counts } from './control.ts';
import type { InternetRecord } from './record.ts';
import type { World } from './world.ts';
import type { DnsFault, DnsRecord, DnsType } from './zone.ts';

/** Connections at once for requests that end by themselves: a Unix socket whose queue is full refuses (EAGAIN) instead of waiting. */
const MOST_CONNECTIONS = 32;

export class InternetClient {
  readonly #socketPath: string;
  readonly #agent = new Agent({ maxSockets: MOST_CONNECTIONS });

  /** `socketPath`: the control socket that main.ts was given. */
  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  world(): Promise<World> {
    return this.#json('GET', '/world');
  }
  /** The root of the good certificates, PEM. */
  async ca(): Promise<string> {
    return (await this.#json<{ ca: string }>('GET', '/ca')).ca;
  }
  counts(): Promise<Counts> {
    return this.#json('GET', '/counts');
  }
  /** Of an MX host, or of all hosts of a domain. */
  async setBehaviour(name: string, behaviour: Behaviour): Promise<void> {
    await this.#json('POST', '/behaviour', { name, behaviour });
  }
  dns(): Promise<DnsRecord[]> {
    return this.#json('GET', '/dns');
  }
  /** Replaces the records of each (name, type) that is named. */
  async setDns(records: readonly DnsRecord[]): Promise<void> {
    await this.#json('POST', '/dns', records);
  }
  async removeDns(name: string, type?: DnsType): Promise<void> {
    await this.#json('POST', '/dns/remove', { name, type });
  }
  /** Replaces all faults. */
  async setDnsFaults(faults: readonly DnsFault[]): Promise<void> {
    await this.#json('POST', '/dns/faults', faults);
  }
  async reset(): Promise<void> {
    await this.#json('POST', '/reset');
  }
  /** The bytes of a recorded message. */
  async message(file: string): Promise<Buffer> {
    return buffer(await this.#ask('GET', `/messages?file=${encodeURIComponent(file)}`));
  }
  /** All records after `after` (a seq). */
  async records(after = 0): Promise<InternetRecord[]> {
    const all: InternetRecord[] = [];
    for await (const record of this.#lines(`/records?after=${after}`)) all.push(record);
    return all;
  }
  /** Records after `after` and then as they come, until `signal` aborts. */
  follow(signal: AbortSignal, after = 0): AsyncGenerator<InternetRecord> {
    return this.#lines(`/records?follow&after=${after}`, signal);
  }

  async *#lines(path: string, signal?: AbortSignal): AsyncGenerator<InternetRecord> {
    // One that is followed does not end: it takes no place among those that do.
    const response = await this.#ask('GET', path, undefined, false);
    const lines = createInterface({ input: response });
    // Closed, not only destroyed: a reader whose input is destroyed waits for ever.
    const stop = () => lines.close();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    try {
      for await (const line of lines) yield JSON.parse(line) as InternetRecord;
    } catch (error) {
      if (!signal?.aborted) throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
      response.destroy();
    }
  }

  async #json<T>(method: string, path: string, body?: unknown): Promise<T> {
    return JSON.parse((await buffer(await this.#ask(method, path, body))).toString()) as T;
  }

  /** @throws with the internet's own words when it refuses */
  async #ask(
    method: string,
    path: string,
    body?: unknown,
    agent: Agent | false = this.#agent,
  ): Promise<IncomingMessage> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = request({ socketPath: this.#socketPath, method, path, agent }, resolve);
      asked.once('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
    });
    if (response.statusCode === 200) return response;
    throw new Error(`${method} ${path}: ${response.statusCode} ${(await buffer(response)).toString()}`);
  }
}
