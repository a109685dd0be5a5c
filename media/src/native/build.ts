import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SOURCES = fileURLToPath(new URL('../../native', import.meta.url));
/** Beside the packages: it goes when they go, and an image that was built with a compiler carries it along. */
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/earshot-native', import.meta.url));
const FLAGS = ['-std=gnu11', '-O2', '-fPIC', '-shared', '-fvisibility=hidden'];
/** One second is usual on a slow machine. */
const COMPILE_LIMIT_MS = 60_000;

/** Why there is no native reader here, and what helps. */
export class NativeUnavailable extends Error {
  readonly action: string;
  constructor(message: string, action: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NativeUnavailable';
    this.action = action;
  }
}

/**
 * The path of the compiled reader: made at the first call, then taken from the cache, by its sources, the flags and the machine's
 * kind. Several processes may ask at once.
 * @param cache folder that keeps it
 * @param compiler a C compiler's command
 * @throws NativeUnavailable
 */
export async function builtReader(cache = CACHE, compiler = process.env['CC'] ?? 'cc'): Promise<string> {
  if (process.platform !== 'linux') {
    throw new NativeUnavailable('the native RTP reader is for Linux only', 'Nothing: dgram is used here.');
  }
  const source = join(SOURCES, 'reader.c');
  const name = `reader-${process.arch}-${await digest(source, join(SOURCES, 'node-api.h'))}.node`;
  const built = join(cache, name);
  if (existsSync(built)) return built;
  const own = `${built}.${randomUUID()}`;
  try {
    await mkdir(cache, { recursive: true });
  } catch (error) {
    throw unavailable(error as NodeJS.ErrnoException, compiler, cache);
  }
  try {
    await promisify(execFile)(compiler, [...FLAGS, '-o', own, source], { timeout: COMPILE_LIMIT_MS });
    await rename(own, built);
    return built;
  } catch (error) {
    await rm(own, { force: true });
    throw unavailable(error as NodeJS.ErrnoException, compiler, cache);
  }
}

async function digest(...files: string[]): Promise<string> {
  const hash = createHash('sha256').update(FLAGS.join(' '));
  for (const file of files) hash.update(await readFile(file));
  return hash.digest('hex').slice(0, 16);
}

function unavailable(
  error: NodeJS.ErrnoException & { stderr?: string },
  compiler: string,
  cache: string,
): NativeUnavailable {
  const options = { cause: error };
  if (error.code === 'ENOENT' && error.syscall?.startsWith('spawn') === true) {
    const action = 'Install gcc (Debian: apt-get install gcc libc6-dev) and restart.';
    return new NativeUnavailable(`there is no C compiler (${compiler})`, action, options);
  }
  if (error.syscall === 'mkdir' || error.syscall === 'rename') {
    const action = 'Start once as a user who may write there.';
    return new NativeUnavailable(`${cache} cannot be written (${error.code})`, action, options);
  }
  const said = error.stderr?.split('\n').find((line) => line.includes('error')) ?? error.message;
  const action = 'Install gcc and the C library headers (Debian: apt-get install gcc libc6-dev) and restart.';
  return new NativeUnavailable(`the C compiler failed: ${said}`, action, options);
}
