// What the DNS of the miniature internet knows, and what it answers. Pure.
import { type Answer, AUTHORITATIVE_ANSWER, type Packet, type Question } from 'dns-packet';

export type DnsType = 'A' | 'AAAA' | 'MX' | 'TXT' | 'PTR' | 'CNAME';
export interface DnsRecord {
  readonly name: string;
  readonly type: DnsType;
  readonly data: string | { readonly preference: number; readonly exchange: string };
  readonly ttl?: number;
}
/** A misbehaviour for a name and everything below it; `type` narrows it. */
export interface DnsFault {
  readonly name: string;
  readonly type?: DnsType;
  readonly delayMs?: number;
  readonly rcode?: 'SERVFAIL' | 'NXDOMAIN' | 'REFUSED';
  /** Never answers. */
  readonly drop?: true;
}

const RCODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
/** Short, so that a changed record is seen within a test. */
const TTL = 10;

export class Zones {
  #records: DnsRecord[] = [];
  #faults: DnsFault[] = [];

  get records(): readonly DnsRecord[] {
    return this.#records;
  }

  /** Sets the records of each (name, type) named in `records`; those of other names stay. */
  set(records: readonly DnsRecord[]): void {
    const replaced = new Set(records.map(keyOf));
    this.#records = [...this.#records.filter((record) => !replaced.has(keyOf(record))), ...records];
  }

  remove(name: string, type?: DnsType): void {
    this.#records = this.#records.filter(
      (one) => plain(one.name) !== plain(name) || (type && one.type !== type),
    );
  }

  setFaults(faults: readonly DnsFault[]): void {
    this.#faults = [...faults];
  }

  fault(question: Pick<Question, 'name' | 'type'>): DnsFault | null {
    const name = plain(question.name);
    const meets = (fault: DnsFault) =>
      (name === plain(fault.name) || name.endsWith(`.${plain(fault.name)}`)) &&
      (!fault.type || fault.type === question.type);
    return this.#faults.find(meets) ?? null;
  }

  /** The answer to a query, aliases followed. */
  answer(query: Packet): Packet {
    const question = query.questions?.[0];
    if (!question) return response(query, 'REFUSED', []);
    const fault = this.fault(question);
    if (fault?.rcode) return response(query, fault.rcode, []);
    const answers = this.#find(plain(question.name), question.type as DnsType);
    const exists = this.#records.some(({ name }) => below(plain(name), plain(question.name)));
    return response(query, answers.length > 0 || exists ? 'NOERROR' : 'NXDOMAIN', answers);
  }

  #find(name: string, type: DnsType, depth = 0): Answer[] {
    const own = this.#records.filter((record) => plain(record.name) === name);
    const direct = own.filter((record) => record.type === type);
    const alias = own.find((record) => record.type === 'CNAME');
    if (direct.length > 0 || !alias || depth > 8) return direct.map(toAnswer);
    return [toAnswer(alias), ...this.#find(plain(String(alias.data)), type, depth + 1)];
  }
}

function response(query: Packet, rcode: keyof typeof RCODES, answers: Answer[]): Packet {
  const name = query.questions?.[0]?.name ?? '.';
  const soa = {
    mname: 'ns.internet.example',
    rname: 'root.internet.example',
    serial: 1,
    refresh: 60,
    retry: 60,
    expire: 60,
  };
  return {
    type: 'response',
    id: query.id ?? 0,
    flags: AUTHORITATIVE_ANSWER | RCODES[rcode],
    questions: query.questions ?? [],
    answers,
    // How long "there is none" may be kept (RFC 2308 §3).
    authorities:
      answers.length === 0 ? [{ type: 'SOA', name, ttl: TTL, data: { ...soa, minimum: TTL } }] : [],
  };
}

function toAnswer({ name, type, data, ttl = TTL }: DnsRecord): Answer {
  // A string of a TXT record holds at most 255 bytes (RFC 1035 §3.3).
  const value = type === 'TXT' ? (String(data).match(/.{1,255}/gs) ?? ['']) : data;
  return { name, type, ttl, data: value } as Answer;
}

const plain = (name: string): string => name.toLowerCase().replace(/\.$/, '');
const below = (name: string, ancestor: string): boolean => name === ancestor || name.endsWith(`.${ancestor}`);
const keyOf = ({ name, type }: DnsRecord): string => `${type} ${plain(name)}`;
