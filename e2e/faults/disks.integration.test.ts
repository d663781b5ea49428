// On a small file system of our own, when we may mount one.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDisk, removeDisk } from '../cluster/storage/disk.ts';
import { cutPower, empty, fill, makeReadOnly, mountAgain } from './disks.ts';

const folder = mkdtempSync(join(tmpdir(), 'disks-'));
const path = join(folder, 'pvc-1');
const possible = process.getuid?.() === 0 && existsSync('/dev/loop-control');

beforeAll(async () => {
  mkdirSync(path);
  if (possible) await makeDisk(path, 32 * 2 ** 20);
});
afterAll(async () => {
  if (possible) await removeDisk(path);
  rmSync(folder, { recursive: true });
});

async function synced(name: string): Promise<void> {
  const file = await open(join(path, name), 'w');
  await file.writeFile(name);
  await file.sync();
  await file.close();
}
const free = () => statfsSync(path).bavail * statfsSync(path).bsize;

if (possible) {
  test('full, and then as before', async () => {
    const before = free();
    await fill(path);
    expect(() => writeFileSync(join(path, 'more'), Buffer.alloc(100_000))).toThrow('ENOSPC');
    rmSync(join(path, 'more'), { force: true });
    await empty(path);
    expect(free()).toBeGreaterThan(before * 0.95);
  });

  test('the power goes: what was synced is there afterwards, what was not is lost', async () => {
    await synced('kept');
    writeFileSync(join(path, 'lost'), 'lost');
    await cutPower(path);
    expect(() => writeFileSync(join(path, 'failing'), 'x')).toThrow('EIO');
    await mountAgain(path);
    expect(readFileSync(join(path, 'kept'), 'utf8')).toBe('kept');
    expect(existsSync(join(path, 'lost'))).toBe(false);
  });

  test('read-only, and repaired', async () => {
    makeReadOnly(path);
    expect(() => writeFileSync(join(path, 'x'), 'x')).toThrow(/EROFS|EIO/);
    await mountAgain(path);
    await synced('x');
  });
} else {
  test('a folder is no file system that could fail, and says so', () => {
    expect(() => makeReadOnly(path)).toThrow('no file system of its own');
  });
}
