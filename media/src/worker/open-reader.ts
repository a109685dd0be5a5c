import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { readdir, rm } from 'node:fs/promises';
import type { Log } from '@earshot/platform';
import { NativeUnavailable } from '../native/build.ts';
import { loadNativeReader } from '../native/reader.ts';
import { SocketReader, type SocketReaderOptions } from './socket-reader.ts';

/** tmpfs on every Linux: a file of a disk would have the reader wait for it. */
const SHARED_MEMORY = '/dev/shm';
/** The host's process and its folder of sockets, and the worker. */
const NAME = /^earshot-(\d+)-[0-9a-f]{16}-media-\d+$/;

/** The file that a worker and its replacements keep what they read in, under one host. */
export function readerMemoryPath(runDir: string, worker: number): string {
  const folder = createHash('sha256').update(runDir).digest('hex').slice(0, 16);
  return join(SHARED_MEMORY, `earshot-${process.ppid}-${folder}-media-${worker}`);
}

/** All was handed on and logged: nothing is to be inherited. */
export const removeReaderMemory = (runDir: string, worker: number): Promise<void> =>
  rm(readerMemoryPath(runDir, worker), { force: true });

/** Removes what hosts left that were killed together with their workers: their sockets are gone, too. */
async function removeOrphans(log: Log): Promise<void> {
  // A system without it has none to remove: the reader's memory then ends with the process.
  for (const name of await readdir(SHARED_MEMORY).catch(() => [])) {
    const host = Number(NAME.exec(name)?.[1] ?? process.ppid);
    if (isAlive(host)) continue;
    await rm(join(SHARED_MEMORY, name), { force: true }).catch((error: Error) =>
      log.debug({ err: error, name }, 'left in shared memory by somebody else'),
    );
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/**
 * The native reader, compiled at the first start of all. Null where it cannot be had, with a line in the log that says why:
 * dgram reads the sockets then, at some three times the CPU time a packet.
 * @param choice RTP_READER: `dgram` does without it
 * @param cache folder of the compiled reader, if not the one beside the packages
 */
export async function openReader(
  choice: string,
  options: SocketReaderOptions,
  log: Log,
  cache?: string,
): Promise<SocketReader | null> {
  if (choice === 'dgram') return null;
  try {
    await removeOrphans(log);
    return new SocketReader(await loadNativeReader(cache), log, options);
  } catch (error) {
    const action = error instanceof NativeUnavailable ? error.action : 'See the error.';
    log.warn({ reason: (error as Error).message, action }, 'RTP is read by dgram: no native reader');
    return null;
  }
}
