// Verifies the DKIM signatures of recorded messages twice: with mailauth, and with dkimpy, which is not Node.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';

/** DNS name of each key (`selector._domainkey.domain`) → its TXT value. */
export type Keys = Readonly<Record<string, string>>;
export interface Verified {
  readonly domain: string;
  readonly selector: string;
  readonly ok: boolean;
  /** Why not; null when it verifies. */
  readonly error: string | null;
}
export interface Verification {
  readonly messages: number;
  /** Messages on which every expected signature verifies, and none fails. */
  readonly verified: number;
  /** For people: what failed, at most ten. */
  readonly failures: readonly string[];
}

/** Debian's own interpreter: that is the one its python3-dkim belongs to. */
const PYTHON = '/usr/bin/python3';

/** With mailauth; the keys answer its DNS questions. */
export async function verifyWithMailauth(message: Buffer, keys: Keys): Promise<Verified[]> {
  const resolver = async (name: string, type: string) => {
    const value = type === 'TXT' ? keys[name.toLowerCase()] : undefined;
    if (value === undefined) throw Object.assign(new Error(`no ${type} of ${name}`), { code: 'ENOTFOUND' });
    return [value.match(/.{1,255}/g) ?? []];
  };
  const { results } = await dkimVerify(message, { resolver, minBitLength: 1024 } as never);
  return results
    .filter(({ signingDomain }) => signingDomain)
    .map(({ signingDomain, selector, status }) => ({
      domain: String(signingDomain),
      selector: String(selector),
      ok: status.result === 'pass',
      error: status.result === 'pass' ? null : `${status.result} ${status.comment ?? ''}`.trim(),
    }));
}

/** With dkimpy, all messages in one process, in their order. @throws when python3-dkim is not installed (`make tools` does) */
export async function verifyWithDkimpy(messages: readonly Buffer[], keys: Keys): Promise<Verified[][]> {
  const folder = mkdtempSync(join(tmpdir(), 'postfleet-dkim-'));
  try {
    const keyFile = join(folder, 'keys.json');
    writeFileSync(keyFile, JSON.stringify(keys));
    const files = messages.map((message, i) => {
      const file = join(folder, `${i}.eml`);
      writeFileSync(file, message);
      return file;
    });
    const output = await run([join(import.meta.dirname, 'dkim_verify.py'), keyFile], files.join('\n'));
    return output
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { signatures: Verified[] }).signatures);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(args: readonly string[], input: string): Promise<string> {
  const child = spawn(PYTHON, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  child.stdin.end(input);
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0)
    throw new Error(`dkimpy (Debian package python3-dkim) ended with ${code}: ${errors.slice(-500)}`);
  return output;
}

/** Sums up: each message must carry a good signature by every one of `expected` (key names), and no bad one. */
export function sumUp(results: readonly (readonly Verified[])[], expected: readonly string[]): Verification {
  const verdicts = results.map((signatures, i) => {
    const bad = signatures
      .filter(({ ok }) => !ok)
      .map(({ domain, selector, error }) => `${selector} of ${domain}: ${error}`);
    const good = new Set(signatures.filter(({ ok }) => ok).map(keyName));
    const absent = expected
      .filter((name) => !good.has(name.toLowerCase()))
      .map((name) => `no good signature by ${name}`);
    return [...bad, ...absent].map((why) => `message ${i}: ${why}`);
  });
  return {
    messages: results.length,
    verified: verdicts.filter((problems) => problems.length === 0).length,
    failures: verdicts.flat().slice(0, 10),
  };
}

const keyName = ({ domain, selector }: Verified): string => `${selector}._domainkey.${domain}`.toLowerCase();
