import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpoolWriteError } from './errors.ts';
import { hopIdOf, parcelOf, recipient } from './fixtures.ts';
import { openSpool } from './lmdb.ts';

const MB = 1024 * 1024;

/** A small volume of its own; null when this machine does not let us mount one. */
function mountSmallVolume(): string | null {
  const dir = mkdtempSync(join(tmpdir(), 'spool-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', dir], { stdio: 'ignore' });
    return dir;
  } catch {
    rmdirSync(dir);
    return null;
  }
}
const volume = mountSmallVolume();
const onSmallVolume = volume === null ? test.skip : test;
const dir = join(volume ?? tmpdir(), 'spool');
const ballast = join(volume ?? tmpdir(), 'ballast');

afterEach(() => {
  if (volume !== null) for (const path of [dir, ballast]) rmSync(path, { recursive: true, force: true });
});
afterAll(() => {
  if (volume === null) return;
  // Lazily: a test that failed may have left its spool open, and must not leave the mount behind as well.
  execFileSync('umount', ['-l', volume]);
  rmdirSync(volume);
});

function fillVolume(): void {
  writeFileSync(ballast, '');
  for (let size = MB; size >= 512; size /= 2) {
    try {
      for (;;) appendFileSync(ballast, Buffer.alloc(size));
    } catch {
      // Full for this size: smaller pieces may still fit.
    }
  }
}

const big = (number: number) => parcelOf(number, { message: Buffer.alloc(100_000, String(number)) });

onSmallVolume(
  '[needs to mount a tmpfs] parcels are refused while results still go through, until there is space again',
  async () => {
    const spool = await openSpool(dir, { reserveBytes: 8 * MB });
    let number = 0;
    await expect(
      (async () => {
        for (;;) await spool.commit([{ kind: 'put', parcel: big(++number) }]);
      })(),
    ).rejects.toThrow(/volume is full/);
    expect(number).toBeGreaterThan(50);
    expect(spool.knows(hopIdOf(number))).toBe(null);
    for (let held = 1; held < number; held++)
      await spool.commit([
        { kind: 'update', hopId: hopIdOf(held), index: 0, recipient: recipient('b@example.test', 5) },
      ]);
    expect(spool.stats()).toMatchObject({ entries: number - 1 });
    for (let held = 1; held < 30; held++)
      await spool.commit([{ kind: 'remove', hopId: hopIdOf(held), index: 0 }]);
    // What was deleted is free inside the file: intake goes on without the file having shrunk.
    await spool.commit([{ kind: 'put', parcel: big(number) }]);
    expect(spool.stats().failure).toBe(null);
    await spool.close();
  },
);

onSmallVolume(
  '[needs to mount a tmpfs] a volume that is filled from outside: nothing half done, cause named, and it recovers',
  async () => {
    const spool = await openSpool(dir, { reserveBytes: 0 });
    await spool.commit([{ kind: 'put', parcel: big(1) }]);
    fillVolume();
    const refused = spool.commit([2, 3, 4].map((id) => ({ kind: 'put', parcel: big(id) })));
    expect(spool.knows(hopIdOf(2))).toBe('held');
    const error = await refused.catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(SpoolWriteError);
    expect(error).toMatchObject({ path: dir, message: expect.stringContaining('No space left on device') });
    expect([1, 2, 3, 4].map((id) => spool.knows(hopIdOf(id)))).toEqual(['held', null, null, null]);
    expect(spool.message(hopIdOf(1))).toEqual(big(1).message);
    expect(spool.stats().failure).toMatch(/No space left/);
    rmSync(ballast);
    await spool.upkeep();
    expect(spool.stats().failure).toBe(null);
    await spool.commit([{ kind: 'put', parcel: big(2) }]);
    await spool.close();
    const again = await openSpool(dir, { reserveBytes: 0 });
    expect(again.stats()).toMatchObject({ parcels: 2, bytes: 200_000, failure: null });
    await again.close();
  },
);

onSmallVolume(
  '[needs to mount a tmpfs] a result does not fail with a parcel that it shared the batch with',
  async () => {
    const spool = await openSpool(dir, { reserveBytes: 0 });
    for (const id of [1, 2, 3]) await spool.commit([{ kind: 'put', parcel: big(id) }]);
    // What is deleted leaves free pages in the file, on which a result finds place.
    for (const id of [1, 2]) await spool.commit([{ kind: 'remove', hopId: hopIdOf(id), index: 0 }]);
    await spool.commit([
      { kind: 'update', hopId: hopIdOf(3), index: 0, recipient: recipient('x@example.test') },
    ]);
    fillVolume();
    const put = spool.commit([4, 5, 6].map((id) => ({ kind: 'put', parcel: big(id) })));
    const result = spool.commit([{ kind: 'remove', hopId: hopIdOf(3), index: 0 }]);
    await expect(put).rejects.toThrow(SpoolWriteError);
    await result;
    expect([3, 4].map((id) => spool.knows(hopIdOf(id)))).toEqual(['finished', null]);
    await spool.close();
  },
);

onSmallVolume(
  '[needs to mount a tmpfs] a read-only volume is refused with its path and the reason',
  async () => {
    await (await openSpool(dir)).close();
    execFileSync('mount', ['-o', 'remount,ro', volume ?? '']);
    try {
      await expect(openSpool(dir)).rejects.toThrow(`spool ${dir} cannot be written`);
      await expect(openSpool(dir)).rejects.toThrow(/Read-only file system/);
    } finally {
      execFileSync('mount', ['-o', 'remount,rw', volume ?? '']);
    }
  },
);
