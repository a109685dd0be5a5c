import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { EarshotError } from '@earshot/contracts';

/**
 * Makes DATA_DIR ready for this host alone.
 * @returns a function that lets it go
 * @throws EarshotError DATA_DIR_IN_USE, DATA_DIR_UNUSABLE
 */
export async function claimDataDir(dataDir: string): Promise<() => Promise<void>> {
  const lock = join(dataDir, 'host.pid');
  try {
    await makeFolder(resolve(dataDir));
    await access(dataDir, constants.W_OK | constants.X_OK);
    const holder = Number(await readFile(lock, 'utf8').catch(() => '0'));
    if (holder > 0 && holder !== process.pid && (await isHost(holder))) {
      throw new EarshotError(
        'DATA_DIR_IN_USE',
        `another Earshot (process ${holder}) is using ${resolve(dataDir)}`,
      );
    }
    await writeFile(lock, String(process.pid));
  } catch (error) {
    if (error instanceof EarshotError) throw error;
    throw new EarshotError('DATA_DIR_UNUSABLE', (error as Error).message, { cause: error });
  }
  return () => rm(lock, { force: true });
}

/**
 * As mkdir with `recursive`, which never ends where a folder is and none can be made in it: `/proc` says ENOENT, and Node tries
 * the parent and the child for ever. @param path absolute
 */
async function makeFolder(path: string): Promise<void> {
  const there = await stat(path).catch(() => null);
  if (there?.isDirectory() === true) return;
  if (there !== null) throw new EarshotError('DATA_DIR_UNUSABLE', `${path} is not a folder`);
  if (dirname(path) !== path) await makeFolder(dirname(path));
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return;
    throw new EarshotError('DATA_DIR_UNUSABLE', `the folder ${path} cannot be made: ${error.message}`, {
      cause: error,
    });
  });
}

/** The pid of a crashed host may belong to another program by now. */
async function isHost(pid: number): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  if (commandLine !== null) return /host.main\.ts/.test(commandLine);
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The admin key: API_KEY, or the one kept in DATA_DIR/api-key, made at first start. */
export async function ensureApiKey(dataDir: string, fixed: string | null): Promise<void> {
  if (fixed !== null) return;
  const file = join(dataDir, 'api-key');
  await writeFile(file, `ek_${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST')
        throw new EarshotError('DATA_DIR_UNUSABLE', error.message, { cause: error });
    },
  );
}
