import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Log } from '@earshot/platform';
import { afterEach, describe, expect, it } from 'vitest';
import { builtReader, NativeUnavailable } from '../src/native/build.ts';
import { loadNativeReader } from '../src/native/reader.ts';
import { openReader } from '../src/worker/open-reader.ts';

const linux = process.platform === 'linux';

describe.skipIf(!linux)('building the native reader', () => {
  const folders: string[] = [];
  const folder = async (): Promise<string> => {
    const path = await mkdtemp(join(tmpdir(), 'es-native-'));
    folders.push(path);
    return path;
  };
  afterEach(async () => {
    for (const path of folders.splice(0)) await rm(path, { recursive: true });
  });

  async function refusal(building: Promise<unknown>): Promise<NativeUnavailable> {
    const error = await building.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof NativeUnavailable)) throw new Error(`expected a refusal, got ${String(error)}`);
    return error;
  }

  it('compiles once, also when several processes begin at the same time', async () => {
    const cache = await folder();
    const paths = await Promise.all([builtReader(cache), builtReader(cache), builtReader(cache)]);
    expect(new Set(paths).size).toBe(1);
    expect(await readdir(cache)).toEqual([paths[0].slice(cache.length + 1)]);
    // A compiler that would fail is not asked again.
    expect(await builtReader(cache, 'no-such-compiler')).toBe(paths[0]);
  });

  it('says what to install where there is no C compiler, or one that fails', async () => {
    const cache = await folder();
    const missing = await refusal(builtReader(cache, 'no-such-compiler'));
    expect(missing.message).toContain('no C compiler');
    expect(missing.action).toContain('gcc');
    const broken = join(cache, 'cc');
    await writeFile(broken, '#!/bin/sh\necho "reader.c:1: fatal error: string.h: none" >&2\nexit 1\n');
    await chmod(broken, 0o755);
    const failed = await refusal(builtReader(join(cache, 'out'), broken));
    expect(failed.message).toContain('string.h: none');
    expect(await readdir(join(cache, 'out'))).toEqual([]);
  });

  it('makes it anew when what is in the cache cannot be loaded, once', async () => {
    const cache = await folder();
    const path = await builtReader(cache);
    await writeFile(path, 'not a library');
    expect(typeof (await loadNativeReader(cache)).read).toBe('function');
    const other = await folder();
    const useless = join(other, 'cc');
    await writeFile(useless, '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho none > "$2"\n');
    await chmod(useless, 0o755);
    expect((await refusal(loadNativeReader(join(other, 'out'), useless))).message).toContain(
      'cannot be loaded',
    );
  });

  it('leaves the sockets to dgram, with a line that says why and what helps', async () => {
    const cache = join(await folder(), 'file');
    await writeFile(cache, '');
    const lines: { reason?: string; action?: string }[] = [];
    const options = { path: '', inheritedPorts: [] };
    const log = { warn: (line: object) => void lines.push(line) } as unknown as Log;
    expect(await openReader('native', options, log, join(cache, 'none'))).toBeNull();
    expect(lines[0]?.reason).toContain('cannot be written');
    expect(lines[0]?.action).toContain('may write there');
    // Whoever wants dgram is told nothing.
    expect(await openReader('dgram', options, log)).toBeNull();
    expect(lines.length).toBe(1);
  });

  const headers = [join(dirname(process.execPath), '../include/node'), '/usr/include/node'].find((path) =>
    existsSync(join(path, 'node_api.h')),
  );
  it.skipIf(headers === undefined)('calls Node-API as Node’s own header declares it', () => {
    const source = fileURLToPath(new URL('../native/reader.c', import.meta.url));
    const flags = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-fsyntax-only', '-DEARSHOT_NODE_HEADERS'];
    execFileSync('cc', [...flags, `-I${headers!}`, source], { stdio: 'pipe' });
  });
});
