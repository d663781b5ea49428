// A small DNS server for tests: real UDP and TCP on loopback, answers by a script, counts what it was asked.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import {
  type Answer,
  type DecodedPacket,
  decode,
  encode,
  streamEncode,
  TRUNCATED_RESPONSE,
} from 'dns-packet';

export interface Reply {
  readonly rcode?: number;
  readonly answers?: Answer[];
  readonly authorities?: Answer[];
  readonly truncated?: boolean;
  /** Changes the finished packet: a wrong id, garbage, … */
  readonly spoil?: (packet: Buffer) => Buffer;
}
/** null: no answer. A promise: a late one. */
export type Script = (
  question: { readonly name: string; readonly type: string; readonly edns: boolean },
  over: 'udp' | 'tcp',
) => readonly Reply[] | null | Promise<readonly Reply[] | null>;

export interface TestDns {
  readonly server: string;
  readonly asked: string[];
  close(): Promise<void>;
}

const FLAG_RECURSION_AVAILABLE = 1 << 7;

function build(query: DecodedPacket, reply: Reply, stream: boolean): Buffer {
  const packet = {
    type: 'response' as const,
    id: query.id,
    flags: FLAG_RECURSION_AVAILABLE | (reply.rcode ?? 0) | (reply.truncated ? TRUNCATED_RESPONSE : 0),
    questions: query.questions,
    answers: reply.answers,
    authorities: reply.authorities,
  };
  const bytes = stream ? streamEncode(packet) : encode(packet);
  return reply.spoil ? reply.spoil(bytes) : bytes;
}

/** Starts a server on a free port of 127.0.0.1, the same for UDP and TCP. */
export async function startTestDns(script: Script): Promise<TestDns> {
  const asked: string[] = [];
  const answer = async (bytes: Buffer, over: 'udp' | 'tcp', send: (bytes: Buffer) => void) => {
    const query = decode(bytes);
    const [question] = query.questions ?? [];
    if (!question) return;
    const edns = (query.additionals ?? []).some(({ type }) => type === 'OPT');
    asked.push(`${over} ${question.type} ${question.name}`);
    const replies = await script({ name: question.name, type: question.type, edns }, over);
    for (const reply of replies ?? []) send(build(query, reply, over === 'tcp'));
  };
  const tcp = createServer((socket) => {
    socket.on('error', () => {});
    socket.on(
      'data',
      (bytes: Buffer) => void answer(bytes.subarray(2), 'tcp', (reply) => socket.write(reply)),
    );
  }).listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket('udp4');
  let open = true;
  udp.on('message', (bytes, from) => {
    void answer(bytes, 'udp', (reply) => open && udp.send(reply, from.port, from.address));
  });
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');
  return {
    server: `127.0.0.1:${port}`,
    asked,
    close: async () => {
      open = false;
      udp.close();
      await new Promise((resolve) => tcp.close(resolve));
    },
  };
}
