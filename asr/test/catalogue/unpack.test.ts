import { randomBytes } from 'node:crypto';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { type Header, pack } from 'tar-stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { safeName, unpack } from '../../src/catalogue/unpack.ts';
import { temporaryFolder } from './web.ts';

const PYTHON_BZ2 = fileURLToPath(new URL('./fixtures/python-tarfile.tar.bz2', import.meta.url));

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const at = (...names: string[]): string => join(folder.path, ...names);
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

type Entry = readonly [Partial<Header> & Pick<Header, 'name'>, string | Uint8Array];

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const [header, body] of entries) tar.entry(header, Buffer.from(body));
  tar.finalize();
  return buffer(tar);
}

async function archive(entries: readonly Entry[], wrap = (bytes: Buffer): Buffer => bytes): Promise<string> {
  const path = at('archive');
  await writeFile(path, wrap(await tarOf(entries)));
  return path;
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .sort();
}

const GOOD: readonly Entry[] = [
  [{ name: 'some-model/tokens.txt' }, 'a 0'],
  [{ name: './some-model/sub/model.onnx' }, 'weights'],
];

test.each([
  ['tar', (bytes: Buffer): Buffer => bytes],
  ['tar.gz', (bytes: Buffer): Buffer => gzipSync(bytes)],
])('a %s is unpacked without the one folder that everything is in', async (_name, wrap) => {
  await unpack(await archive(GOOD, wrap), at('model'));
  expect(await filesBelow(at('model'))).toEqual(['sub/model.onnx', 'tokens.txt']);
  expect(await readFile(at('model', 'sub', 'model.onnx'), 'utf8')).toBe('weights');
});

test('a tar.bz2 that Python made is unpacked, long names and all', async () => {
  await unpack(PYTHON_BZ2, at('model'));
  expect(await filesBelow(at('model'))).toEqual([
    `${'long-'.repeat(30)}name.txt`,
    'sub/noise.bin',
    'tokens.txt',
  ]);
  expect((await readFile(at('model', 'sub', 'noise.bin'))).length).toBe(3000);
  expect(await readFile(at('model', 'tokens.txt'), 'utf8')).toBe('<blk> 0\na 1\n');
});

test.each(['one byte changed', 'cut off'])(
  'a tar.bz2 with %s is refused, and nothing is left of it',
  async (how) => {
    const bytes = await readFile(PYTHON_BZ2);
    if (how === 'cut off') await writeFile(at('archive'), bytes.subarray(0, bytes.length - 40));
    else {
      bytes[Math.floor(bytes.length / 2)]! ^= 0x10;
      await writeFile(at('archive'), bytes);
    }
    await expect(unpack(at('archive'), at('model'))).rejects.toMatchObject({ code: 'MODEL_ARCHIVE_INVALID' });
    expect(await readdir(folder.path)).toEqual(['archive']);
  },
);

test('a tar.gz that is cut off is refused', async () => {
  const path = await archive([[{ name: 'm/model.onnx' }, randomBytes(50_000)]], (bytes) =>
    gzipSync(bytes).subarray(0, 20_000),
  );
  await expect(unpack(path, at('model'))).rejects.toMatchObject({ code: 'MODEL_ARCHIVE_INVALID' });
  expect(await readdir(folder.path)).toEqual(['archive']);
});

test.each<[string, Entry]>([
  ['a name that climbs out', [{ name: 'm/../../outside.txt' }, 'x']],
  ['an absolute name', [{ name: '/etc/passwd' }, 'x']],
  ['a Windows name', [{ name: 'C:\\outside.txt' }, 'x']],
  ['a symbolic link', [{ name: 'm/link', type: 'symlink', linkname: '/etc/passwd' }, '']],
  ['a hard link', [{ name: 'm/link', type: 'link', linkname: 'm/tokens.txt' }, '']],
  ['a device', [{ name: 'm/device', type: 'character-device' }, '']],
])('an archive with %s is refused, and nothing is left of it', async (_what, entry) => {
  const path = await archive([...GOOD, entry]);
  await expect(unpack(path, at('model'))).rejects.toMatchObject({ code: 'MODEL_ARCHIVE_INVALID' });
  expect(await readdir(folder.path)).toEqual(['archive']);
});

test('an archive that would fill the disk is refused: by bytes and by files', async () => {
  const path = await archive([
    [{ name: 'm/a' }, 'x'.repeat(600)],
    [{ name: 'm/b' }, 'x'.repeat(600)],
  ]);
  await expect(unpack(path, at('model'), { files: 10, bytes: 1000 })).rejects.toMatchObject({
    code: 'MODEL_ARCHIVE_INVALID',
  });
  await expect(unpack(path, at('model'), { files: 1, bytes: 1e6 })).rejects.toMatchObject({
    code: 'MODEL_ARCHIVE_INVALID',
  });
});

test('a file that is in the archive twice is refused', async () => {
  const path = await archive([...GOOD, GOOD[0]!]);
  await expect(unpack(path, at('model'))).rejects.toMatchObject({
    code: 'MODEL_ARCHIVE_INVALID',
    message: expect.stringContaining('twice') as string,
  });
});

test.each([
  ['<!doctype html><title>Sign in</title>', 'web page'],
  ['PK\x03\x04', 'zip'],
  ['nothing that is known', 'no tar.bz2'],
  ['', 'no tar.bz2'],
])('%j is not taken for an archive', async (text, why) => {
  await writeFile(at('archive'), text);
  await expect(unpack(at('archive'), at('model'))).rejects.toMatchObject({
    code: 'MODEL_ARCHIVE_INVALID',
    message: expect.stringContaining(why) as string,
  });
});

test('a folder is copied; one with a link in it is refused', async () => {
  await mkdir(at('source', 'sub'), { recursive: true });
  await writeFile(at('source', 'tokens.txt'), 'a 0');
  await writeFile(at('source', 'sub', 'x'), 'x');
  await unpack(at('source'), at('model'));
  expect(await filesBelow(at('model'))).toEqual(['sub/x', 'tokens.txt']);
  await cp(at('source'), at('linked'), { recursive: true });
  await symlink('/etc/passwd', at('linked', 'link'));
  await expect(unpack(at('linked'), at('other'))).rejects.toMatchObject({ code: 'MODEL_ARCHIVE_INVALID' });
});

test('whatever an entry is called, it is refused or goes below the folder', () => {
  const name = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom('..', '.', '', 'a', '/', '\\', 'C:', '\0', '...'), { maxLength: 6 })
      .map((p) => p.join('/')),
  );
  fc.assert(
    fc.property(name, (each) => {
      let safe: string | null;
      try {
        safe = safeName({ name: each, type: 'file' });
      } catch (error) {
        expect(error).toMatchObject({ code: 'MODEL_ARCHIVE_INVALID' });
        return;
      }
      if (safe === null) return;
      const path = join('/root-of-all', safe);
      expect(path.startsWith('/root-of-all/')).toBe(true);
      expect(path.split('/')).not.toContain('..');
      expect(path).not.toMatch(/[\0\\]/);
    }),
  );
});
