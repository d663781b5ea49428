// Tells the segment that an address has moved here: a gratuitous ARP (RFC 5227 §3) or an unsolicited neighbour advertisement (RFC 4861
// §7.2.6). Without it neighbours send to the old node until their caches forget. The kernel announces no address that is added, and Node
// has no raw sockets: the frames are made here, and the few lines of Perl that every Debian has put them on the wire (CAP_NET_RAW).
import { spawn } from 'node:child_process';
import { isIPv4 } from 'node:net';
import type { Link } from './interfaces.ts';
import { SYSTEM_PATH } from './links.ts';

/** Sends each line of its input, a frame in hexadecimal, over the interface that it is given. 17: AF_PACKET, 0x8933: SIOCGIFINDEX. */
const SEND = `
  my $name = shift;
  socket(my $socket, 17, 3, 0) or die "raw socket: $!\\n";
  my $request = pack('a16x24', $name);
  ioctl($socket, 0x8933, $request) or die "$name: $!\\n";
  my $index = unpack('x16i', $request);
  while (<STDIN>) {
    chomp;
    my $frame = pack('H*', $_);
    my $to = pack('SniSCCa8', 17, 0, $index, 0, 0, 6, substr($frame, 0, 6));
    defined send($socket, $frame, 0, $to) or die "$name: $!\\n";
  }`;

const TIMEOUT_MS = 5_000;

/** Rejects with what went wrong. */
export function announce(link: Link, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('perl', ['-e', SEND, link.name], {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { PATH: SYSTEM_PATH },
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`announcing ${address}: ${stderr.trim() || `exit ${code}`}`)),
    );
    child.stdin.on('error', () => {});
    child.stdin.end(
      framesFor(link.mac, address)
        .map((frame) => `${frame.toString('hex')}\n`)
        .join(''),
    );
  });
}

/** The Ethernet frames that announce `address` at `mac`. Some listen to ARP requests only, some to replies. Pure. */
export function framesFor(mac: string, address: string): Buffer[] {
  const own = Buffer.from(mac.replaceAll(':', ''), 'hex');
  return isIPv4(address) ? [arp(own, address, 1), arp(own, address, 2)] : [advertisement(own, address)];
}

const BROADCAST = Buffer.alloc(6, 0xff);

function arp(mac: Buffer, address: string, operation: 1 | 2): Buffer {
  const ip = Buffer.from(address.split('.').map(Number));
  const target = operation === 1 ? Buffer.alloc(6) : BROADCAST;
  // Ethernet, IPv4, lengths 6 and 4.
  const head = Buffer.from([0, 1, 8, 0, 6, 4, 0, operation]);
  return Buffer.concat([BROADCAST, mac, Buffer.from([0x08, 0x06]), head, mac, ip, target, ip]);
}

const ALL_NODES = Buffer.from('ff020000000000000000000000000001', 'hex');
const ICMPV6 = 58;

function advertisement(mac: Buffer, address: string): Buffer {
  const source = bytesOf(address);
  // Type 136; override, unsolicited; the address; option 2, its link-layer address.
  const body = Buffer.concat([Buffer.from([136, 0, 0, 0, 0x20, 0, 0, 0]), source, Buffer.from([2, 1]), mac]);
  body.writeUInt16BE(checksum(source, body), 2);
  // Version 6, length, ICMPv6, hop limit 255: a lower one is not believed.
  const head = Buffer.from([0x60, 0, 0, 0, 0, body.length, ICMPV6, 255]);
  const ethernet = Buffer.concat([Buffer.from('333300000001', 'hex'), mac, Buffer.from([0x86, 0xdd])]);
  return Buffer.concat([ethernet, head, source, ALL_NODES, body]);
}

/** RFC 8200 §8.1: over a pseudo-header and the message, whose own field is zero. */
function checksum(source: Buffer, body: Buffer): number {
  const pseudo = Buffer.concat([
    source,
    ALL_NODES,
    Buffer.from([0, 0, 0, body.length, 0, 0, 0, ICMPV6]),
    body,
  ]);
  let sum = 0;
  for (let i = 0; i < pseudo.length; i += 2) sum += pseudo.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function bytesOf(address: string): Buffer {
  const [left = '', right] = address.split('::');
  const words = (text: string) =>
    text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16));
  const [head, tail] = [words(left), words(right ?? '')];
  const middle = right === undefined ? [] : Array.from({ length: 8 - head.length - tail.length }, () => 0);
  const bytes = Buffer.alloc(16);
  [...head, ...middle, ...tail].forEach((word, i) => {
    bytes.writeUInt16BE(word, 2 * i);
  });
  return bytes;
}
