import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, cp } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { EarshotError } from '@earshot/contracts';
import { extract, type Header } from 'tar-stream';
import unbzip2 from 'unbzip2-stream';

export interface UnpackLimits {
  readonly files: number;
  readonly bytes: number;
}

/** No published streaming model comes near. */
export const UNPACK_LIMITS: UnpackLimits = { files: 10_000, bytes: 8e9 };

const invalid = (message: string, cause?: unknown): EarshotError =>
  new EarshotError('MODEL_ARCHIVE_INVALID', message, { cause });

/**
 * Unpacks an archive (tar, tar.gz, tar.bz2, told by its first bytes) or copies a folder into `target`, which must not be there.
 * An archive whose files all lie in one folder is unpacked without that folder. Nothing is left behind on failure.
 * @throws EarshotError MODEL_ARCHIVE_INVALID when it is none, has links, names outside, or too much; DISK_FULL
 */
export async function unpack(
  source: string,
  target: string,
  limits: UnpackLimits = UNPACK_LIMITS,
  onFile: (name: string) => void = () => undefined,
): Promise<void> {
  const folder = `${target}.${process.pid}.new`;
  await rm(folder, { recursive: true, force: true });
  try {
    await mkdir(folder, { recursive: true });
    if ((await lstat(source)).isDirectory()) await copyFolder(source, folder, limits);
    else await unpackArchive(source, folder, limits, onFile);
    await rename(await innermost(folder), target);
  } catch (error) {
    throw explained(error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function unpackArchive(
  source: string,
  folder: string,
  limits: UnpackLimits,
  onFile: (name: string) => void,
): Promise<void> {
  const kind = await kindOf(source);
  const tar = extract();
  const stages =
    kind === 'bzip2' ? [unbzip2(), tar] : kind === 'gzip' ? [createGunzip(), tar] : ([tar] as const);
  const read = createReadStream(source);
  // pipeline() ends the reading of the entries below with the error, whichever stage it is of.
  const piped = pipeline([read, ...stages] as never);
  piped.catch((error: Error) => tar.destroy(error));
  let files = 0;
  let bytes = 0;
  for await (const entry of tar) {
    const { header } = entry;
    files += 1;
    bytes += header.size ?? 0;
    if (files > limits.files) throw invalid(`it has more than ${limits.files} files`);
    if (bytes > limits.bytes) throw invalid(`it unpacks to more than ${Math.round(limits.bytes / 1e6)} MB`);
    const name = safeName(header);
    if (name === null) {
      entry.resume();
      continue;
    }
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    onFile(name);
    await pipeline(entry as unknown as Readable, createWriteStream(path, { flags: 'wx' }));
  }
  await piped;
  if (files === 0) throw invalid('it is empty');
}

/** What the file is by its first bytes. @throws EarshotError MODEL_ARCHIVE_INVALID */
async function kindOf(source: string): Promise<'bzip2' | 'gzip' | 'tar'> {
  const handle = await open(source);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0);
    const head = buffer.subarray(0, bytesRead).toString('latin1');
    if (head.startsWith('BZh')) return 'bzip2';
    if (head.startsWith('\x1f\x8b')) return 'gzip';
    if (head.slice(257, 262) === 'ustar') return 'tar';
    if (head.startsWith('PK')) throw invalid('it is a zip file, which is not unpacked here');
    if (/^\s*</.test(head)) throw invalid('it is a web page, not an archive: the address is that of a page');
    throw invalid('it is no tar.bz2, tar.gz or tar');
  } finally {
    await handle.close();
  }
}

/**
 * Where an entry goes below the folder; null for what is left out: folders come with their files.
 * @throws EarshotError MODEL_ARCHIVE_INVALID on links, devices and names that lead outside
 */
export function safeName(header: Pick<Header, 'name' | 'type'>): string | null {
  const { name, type } = header;
  if (type === 'directory') return null;
  if (type !== 'file' && type !== 'contiguous-file') throw invalid(`${quoted(name)} is a ${String(type)}`);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  const outside = name.startsWith('/') || parts.includes('..') || /[\\\0]|^[a-z]:/i.test(name);
  if (outside || parts.length === 0) throw invalid(`${quoted(name)} leads out of its folder`);
  // The attributes that macOS keeps beside a file.
  return parts.at(-1)!.startsWith('._') ? null : parts.join('/');
}

const quoted = (name: string): string => JSON.stringify(name.slice(0, 120));

async function copyFolder(source: string, folder: string, limits: UnpackLimits): Promise<void> {
  let files = 0;
  let bytes = 0;
  await cp(source, folder, {
    recursive: true,
    filter: async (path) => {
      const stats = await lstat(path);
      const name = relative(source, path);
      if (!stats.isFile() && !stats.isDirectory()) throw invalid(`${quoted(name)} is no plain file`);
      files += stats.isFile() ? 1 : 0;
      bytes += stats.isFile() ? stats.size : 0;
      if (files > limits.files || bytes > limits.bytes)
        throw invalid(`${quoted(source)} is far larger than any model`);
      return true;
    },
  });
}

/** The folder that has the files: archives of models have everything in one folder. */
async function innermost(folder: string): Promise<string> {
  const names = await readdir(folder, { withFileTypes: true });
  const only = names[0];
  if (names.length !== 1 || only === undefined || !only.isDirectory()) return folder;
  return innermost(join(folder, only.name));
}

function explained(error: unknown): Error {
  if (error instanceof EarshotError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new EarshotError('DISK_FULL', message, { cause: error });
  if (code === 'EEXIST') return invalid(`it has a file twice: ${message}`, error);
  if (code === undefined || code.startsWith('Z_') || code.startsWith('ERR_'))
    return invalid(`it is damaged: ${message}`, error);
  return new EarshotError('DATA_DIR_UNUSABLE', message, { cause: error });
}
