// Keeps what happened: records in memory and as lines in `records.ndjson`, the bytes of messages as files beside it.
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, type WriteStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { headerBlock, headerValue, parseDsn, TEST_ID } from './headers.ts';
import type { AnswerRecord, AttemptRecord, InternetRecord, MessageRecord, Session } from './record.ts';

type Unnumbered<R extends InternetRecord> = Omit<R, 'seq' | 'at' | 'kind'>;

export class Recorder {
  readonly #folder: string;
  readonly #keepBytes: number;
  #records: InternetRecord[] = [];
  #lines: WriteStream;
  #listeners = new Set<(record: InternetRecord) => void>();
  #round = 0;

  /** Goes on with what `folder` holds already. Messages over `keepBytes` are kept as hash and headers only. */
  constructor(folder: string, keepBytes = 8 << 20) {
    this.#folder = folder;
    this.#keepBytes = keepBytes;
    mkdirSync(join(folder, 'messages'), { recursive: true });
    this.#records = readLines(this.#path);
    this.#lines = createWriteStream(this.#path, { flags: 'a' });
  }

  get #path(): string {
    return join(this.#folder, 'records.ndjson');
  }

  get records(): readonly InternetRecord[] {
    return this.#records;
  }

  /** Returns its `seq`. */
  attempt(record: Unnumbered<AttemptRecord>): number {
    const seq = this.#records.length + 1;
    this.#add({ kind: 'attempt', ...record, seq, at: Date.now() });
    return seq;
  }

  answer(record: Unnumbered<AnswerRecord>): void {
    this.#add({ kind: 'answer', ...record, seq: this.#records.length + 1, at: Date.now() });
  }

  /** Takes a message: after this resolved it may be answered. */
  async message(
    session: Session,
    envelope: { readonly from: string; readonly recipients: readonly string[]; readonly answered: boolean },
    raw: Buffer,
  ): Promise<void> {
    const sha256 = createHash('sha256').update(raw).digest('hex');
    const headers = headerBlock(raw);
    const file =
      raw.length <= this.#keepBytes
        ? `${this.#round}-${this.#records.length}-${sha256.slice(0, 16)}.eml`
        : null;
    if (file) await writeFile(this.#file(file), raw);
    const record: Unnumbered<MessageRecord> = {
      ...session,
      ...envelope,
      ...{
        testId: headerValue(headers, TEST_ID),
        sha256,
        sizeBytes: raw.length,
        file,
        headers,
        dsn: parseDsn(raw),
      },
    };
    this.#add({ kind: 'message', ...record, seq: this.#records.length + 1, at: Date.now() });
  }

  #add(record: InternetRecord): void {
    this.#records.push(record);
    this.#lines.write(`${JSON.stringify(record)}\n`);
    for (const listener of this.#listeners) listener(record);
  }

  /** Calls back with every record that comes; returns how to stop. */
  follow(listener: (record: InternetRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  bytes(file: string): Promise<Buffer> {
    if (!/^[\w.-]+\.eml$/.test(file)) throw new RangeError(`${file} is no message file`);
    return readFile(this.#file(file));
  }

  #file(file: string): string {
    return join(this.#folder, 'messages', file);
  }

  /** Forgets everything. */
  async reset(): Promise<void> {
    await this.close();
    this.#round++;
    this.#records = [];
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(join(this.#folder, 'messages'), { recursive: true });
    this.#lines = createWriteStream(this.#path, { flags: 'a' });
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#lines.end(() => resolve()));
  }
}

function readLines(path: string): InternetRecord[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as InternetRecord);
}
