import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claimDataDir } from '../src/data-dir.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'es-data-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('folders that are missing are made, all the way down, and let go of again', async () => {
  const path = join(folder, 'a', 'b', 'c');
  const release = await claimDataDir(path);
  expect(Number(await readFile(join(path, 'host.pid'), 'utf8'))).toBe(process.pid);
  await release();
  expect(existsSync(join(path, 'host.pid'))).toBe(false);
  await (
    await claimDataDir(path)
  )();
});

test('a file in the way is named', async () => {
  await writeFile(join(folder, 'file'), '');
  for (const path of [join(folder, 'file'), join(folder, 'file', 'data')]) {
    await expect(claimDataDir(path)).rejects.toMatchObject({
      code: 'DATA_DIR_UNUSABLE',
      message: `${join(folder, 'file')} is not a folder`,
    });
  }
});

// In a process of its own: Node's recursive mkdir goes round for ever there, in a thread that nothing ends.
test.skipIf(!existsSync('/proc/self'))(
  'a folder that a pseudo file system does not make is refused, and not waited for',
  async () => {
    const module = JSON.stringify(new URL('../src/data-dir.ts', import.meta.url).href);
    const script = `import { claimDataDir } from ${module};
      await claimDataDir('/proc/earshot/data').catch((error) => console.log(error.code, error.message));
      process.exit(0);`;
    const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
    const child = spawn(process.execPath, args, {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 20_000,
      killSignal: 'SIGKILL',
    });
    const out = text(child.stdout);
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(await out).toMatch(/^DATA_DIR_UNUSABLE the folder \/proc\/earshot cannot be made: ENOENT/);
  },
  30_000,
);
