// One question to one server: over UDP from a random port, over TCP when the answer is cut off (RFC 7766). Whatever comes with
// another id or another question is not an answer to us and is ignored until the time is over (RFC 5452 §9).
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { type DecodedPacket, decode, encode, RECURSION_DESIRED } from 'dns-packet';
import type { QueryType } from './answer.ts';
import { same } from './interpret.ts';
import type { DnsServer } from './servers.ts';

export interface Question {
  readonly name: string;
  readonly type: QueryType;
  /** Announce EDNS (RFC 6891) with 1,232 bytes; a few old servers answer it with FORMERR. */
  readonly edns: boolean;
}

/** Asks once. Rejects on timeout, on abort, and when the server cannot be reached or writes nonsense. */
export async function exchange(
  server: DnsServer,
  question: Question,
  timeoutMs: number,
  abort: AbortSignal,
): Promise<DecodedPacket> {
  const id = randomInt(0x1_0000);
  const query = encodeQuery(id, question);
  const signal = AbortSignal.any([abort, AbortSignal.timeout(timeoutMs)]);
  const datagram = await overUdp(server, query, id, question, signal);
  if (datagram !== 'cut off') return datagram;
  return overTcp(server, query, id, question, signal);
}

function encodeQuery(id: number, { name, type, edns }: Question): Buffer {
  return encode({
    type: 'query',
    id,
    flags: RECURSION_DESIRED,
    questions: [{ type, name, class: 'IN' }],
    additionals: edns
      ? [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize: 1232,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: 0,
            flag_do: false,
            options: [],
          },
        ]
      : [],
  });
}

/** The packet if `bytes` answers our question; null when it is somebody else's. Throws when it is ours and unreadable. */
function readAnswer(bytes: Buffer, id: number, question: Question): DecodedPacket | 'cut off' | null {
  const isResponse = bytes.length >= 12 && (bytes.readUInt8(2) & 0x80) !== 0;
  if (!isResponse || bytes.readUInt16BE(0) !== id) return null;
  if (bytes.readUInt8(2) & 0x02) return 'cut off';
  const packet = decode(bytes);
  const asked = packet.questions?.[0];
  // Some servers leave the question out when they refuse the packet as a whole.
  if (!asked) return packet.answers?.length ? null : packet;
  return asked.type === question.type && same(asked.name, question.name) ? packet : null;
}

const reasonOf = (signal: AbortSignal): Error =>
  signal.reason?.name === 'TimeoutError' ? new Error('no answer in time') : new Error('given up');

function overUdp(server: DnsServer, query: Buffer, id: number, question: Question, signal: AbortSignal) {
  return new Promise<DecodedPacket | 'cut off'>((resolve, reject) => {
    if (signal.aborted) return reject(reasonOf(signal));
    const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4');
    let open = true;
    const end = (settle: () => void) => {
      if (open) socket.close();
      open = false;
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const onAbort = () => end(() => reject(reasonOf(signal)));
    signal.addEventListener('abort', onAbort);
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('message', (bytes) => {
      try {
        const packet = readAnswer(bytes, id, question);
        if (packet !== null) end(() => resolve(packet));
      } catch (cause) {
        end(() => reject(new Error('the answer cannot be read', { cause })));
      }
    });
    // Connected: the kernel drops datagrams of other senders, and a closed port is known at once.
    // Node hands a failed connect to this callback, although its type does not say so.
    const onConnect = (error?: Error) => {
      if (error) end(() => reject(error));
      else if (open) socket.send(query);
    };
    socket.connect(server.port, server.address, onConnect);
  });
}

function overTcp(server: DnsServer, query: Buffer, id: number, question: Question, signal: AbortSignal) {
  return new Promise<DecodedPacket>((resolve, reject) => {
    if (signal.aborted) return reject(reasonOf(signal));
    const socket = connect(server.port, server.address);
    let received: Buffer = Buffer.alloc(0);
    const end = (settle: () => void) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      settle();
    };
    const onAbort = () => end(() => reject(reasonOf(signal)));
    signal.addEventListener('abort', onAbort);
    socket.once('connect', () => socket.write(Buffer.concat([lengthPrefix(query), query])));
    socket.on('error', (error) => end(() => reject(error)));
    socket.once('close', () => end(() => reject(new Error('the connection closed before the answer'))));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      try {
        const packet = readAnswer(received.subarray(2, 2 + received.readUInt16BE(0)), id, question);
        if (packet === null || packet === 'cut off') throw new Error('the answer is not to our question');
        end(() => resolve(packet));
      } catch (cause) {
        end(() => reject(new Error('the answer over TCP cannot be read', { cause })));
      }
    });
  });
}

function lengthPrefix(message: Buffer): Buffer {
  const prefix = Buffer.alloc(2);
  prefix.writeUInt16BE(message.length);
  return prefix;
}
