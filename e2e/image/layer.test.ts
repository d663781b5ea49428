import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extract } from 'tar-stream';
import { complete, type Entry, layerTar } from './layer.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postfleet-layer-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const digest = async (entries: readonly Entry[]): Promise<string> => {
  const hash = createHash('sha256');
  for await (const chunk of layerTar(entries)) hash.update(chunk as Buffer);
  return hash.digest('hex');
};

test('folders above are added, paths sorted, and the last of two entries wins', () => {
  const text = (path: string, content: string): Entry => ({ kind: 'text', path, text: content });
  const entries = complete([text('/b/x', '1'), text('/a/deep/y', ''), text('/b/x', '2')]);
  expect(entries.map((entry) => entry.path)).toEqual(['/a', '/a/deep', '/a/deep/y', '/b', '/b/x']);
  expect(entries.at(-1)).toMatchObject({ text: '2' });
});

test('a layer depends on content and not on times or order', async () => {
  const source = join(folder, 'program');
  writeFileSync(source, 'one');
  const file: Entry = { kind: 'file', path: '/bin/program', source, executable: true };
  const link: Entry = { kind: 'link', path: '/bin/other', target: 'program' };
  const before = await digest([file, link]);
  utimesSync(source, 1, 1);
  expect(await digest([link, file])).toBe(before);
  writeFileSync(source, 'two');
  expect(await digest([file, link])).not.toBe(before);
});

test('the tar is read back by others: modes, owners, content', async () => {
  const source = join(folder, 'large');
  writeFileSync(source, Buffer.alloc(300_000, 'x'));
  const entries: Entry[] = [
    { kind: 'file', path: '/app/large', source, executable: false },
    { kind: 'folder', path: '/tmp', mode: 0o1777 },
  ];
  const tar = layerTar(entries).pipe(extract());
  const seen: Record<string, unknown> = {};
  for await (const entry of tar) {
    let bytes = 0;
    for await (const chunk of entry) bytes += (chunk as Buffer).length;
    const { name, mode, uid, type } = entry.header;
    seen[name] = [type, mode, uid, bytes];
  }
  expect(seen).toEqual({
    'app/': ['directory', 0o755, 0, 0],
    'app/large': ['file', 0o644, 0, 300_000],
    'tmp/': ['directory', 0o1777, 0, 0],
  });
});

test('a file that is not there breaks the stream instead of ending it early', async () => {
  const missing: Entry = { kind: 'file', path: '/x', source: join(folder, 'missing'), executable: false };
  await expect(digest([missing])).rejects.toThrow('ENOENT');
});
