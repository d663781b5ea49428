// The DNS server: the zones over UDP and TCP.
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import * as dns from 'dns-packet';
import type { Zones } from './zone.ts';

/** Without EDNS a UDP answer has at most this many bytes (RFC 1035 §4.2.1); longer ones are asked for again over TCP. */
const CLASSIC_UDP_BYTES = 512;

export class DnsServer {
  readonly #zones: Zones;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #open = new Set<Socket>();
  /** Questions since the start, as "TYPE name" to their count. */
  readonly asked = new Map<string, number>();

  constructor(zones: Zones) {
    this.#zones = zones;
    this.#udp = createSocket('udp4', (message, from) => void this.#overUdp(message, from));
    this.#tcp = createServer((socket) => this.#overTcp(socket));
  }

  async listen(address: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) =>
      this.#udp.once('error', reject).bind(port, address, resolve),
    );
    await new Promise<void>((resolve, reject) =>
      this.#tcp.once('error', reject).listen(port, address, resolve),
    );
  }

  async #overUdp(message: Buffer, from: RemoteInfo): Promise<void> {
    const answered = await this.#answer(message);
    if (!answered) return;
    const { query, response } = answered;
    const edns = query.additionals?.find((one) => one.type === 'OPT');
    const room = edns?.type === 'OPT' ? Math.max(edns.udpPayloadSize, CLASSIC_UDP_BYTES) : CLASSIC_UDP_BYTES;
    const bytes = dns.encode(response);
    const flags = (response.flags ?? 0) | dns.TRUNCATED_RESPONSE;
    const fitting =
      bytes.length <= room ? bytes : dns.encode({ ...response, answers: [], authorities: [], flags });
    this.#udp.send(fitting, from.port, from.address);
  }

  #overTcp(socket: Socket): void {
    let buffer = Buffer.alloc(0);
    this.#open.add(socket);
    socket.on('error', () => {}).once('close', () => this.#open.delete(socket));
    socket.on('data', async (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk]);
      while (buffer.length >= 2 && buffer.length >= 2 + buffer.readUInt16BE(0)) {
        const length = buffer.readUInt16BE(0);
        const message = buffer.subarray(2, 2 + length);
        buffer = buffer.subarray(2 + length);
        const answered = await this.#answer(message);
        if (answered && !socket.destroyed) socket.write(dns.streamEncode(answered.response));
      }
    });
  }

  /** Null: no answer is given. */
  async #answer(message: Buffer): Promise<{ query: dns.DecodedPacket; response: dns.Packet } | null> {
    try {
      const query = dns.decode(message);
      const question = query.questions?.[0];
      const fault = question ? this.#zones.fault(question) : null;
      if (question) {
        const key = `${question.type} ${question.name.toLowerCase()}`;
        this.asked.set(key, (this.asked.get(key) ?? 0) + 1);
      }
      if (fault?.delayMs) await delay(fault.delayMs);
      return fault?.drop ? null : { query, response: this.#zones.answer(query) };
    } catch {
      return null; // not a DNS message
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise<void>((resolve) => this.#udp.close(() => resolve()));
    await new Promise<void>((resolve) => this.#tcp.close(() => resolve()));
  }
}
