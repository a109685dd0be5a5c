import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EarshotError } from '@earshot/contracts';

export interface DownloadOptions {
  readonly url: string;
  /** Where partial files lie. */
  readonly folder: string;
  readonly maxBytes: number;
  /** The connection is given up when nothing comes for so long. */
  readonly stallMs: number;
  /** Pauses before each further try within one call. */
  readonly pausesMs: readonly number[];
  readonly onProgress: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

export interface Progress {
  readonly bytes: number;
  /** Null when the server does not say. */
  readonly total: number | null;
  /** What was there already when this download began. */
  readonly resumedFrom: number;
}

export interface Downloaded {
  readonly path: string;
  readonly bytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** What a partial file is of: it is gone on with only when the server still has the same. */
interface Partial {
  readonly url: string;
  /** A strong ETag or a Last-Modified, for If-Range (RFC 9110 section 13.1.5); null: it cannot be resumed. */
  readonly validator: string | null;
  readonly total: number | null;
}

/** Room that is left on the disk for everything else. */
const SPARE_BYTES = 256 * 1024 * 1024;

/**
 * Downloads a file, going on where an earlier try stopped (HTTP Range with If-Range, RFC 9110 section 14). The partial file
 * stays when it fails, and the whole one is the caller's to remove.
 * @throws EarshotError MODEL_DOWNLOAD_FAILED, DISK_FULL
 */
export async function download(options: DownloadOptions): Promise<Downloaded> {
  await mkdir(options.folder, { recursive: true }).catch((error: unknown) => {
    throw diskError(error);
  });
  const path = join(options.folder, createHash('sha256').update(options.url).digest('hex').slice(0, 24));
  for (let tries = 0; ; tries++) {
    try {
      await fetchRest(options, path);
      break;
    } catch (error) {
      const wait = options.pausesMs[tries];
      if (!(error instanceof Interrupted)) throw error;
      if (wait === undefined || options.signal?.aborted === true) throw failed(error.message, error);
      await pause(wait);
    }
  }
  await rm(`${path}.json`, { force: true });
  return { path, bytes: (await stat(path)).size, sha256: await sha256Of(path) };
}

/** The SHA-256 of a file, lower-case hexadecimal. @throws system errors */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** The connection broke or the server has a bad moment: to be tried again. */
class Interrupted extends Error {}

const failed = (message: string, cause?: unknown): EarshotError =>
  new EarshotError('MODEL_DOWNLOAD_FAILED', message, { cause });

async function fetchRest(options: DownloadOptions, path: string): Promise<void> {
  const known = await partialOf(path, options.url);
  const have = known === null ? 0 : await sizeOf(path);
  const stalled = new AbortController();
  const watch = setTimeout(() => stalled.abort(), options.stallMs);
  try {
    const response = await ask(options, have > 0 ? known : null, have, stalled.signal);
    const range = rangeOf(response);
    if (response.status === 416 && known?.total === have) return;
    if (response.status === 416 || (response.status === 206 && (have === 0 || range?.from !== have))) {
      await rm(path, { force: true });
      throw new Interrupted('the server has another file than before');
    }
    checkStatus(response);
    const resumedFrom = response.status === 206 ? have : 0;
    const length = lengthOf(response);
    const total = range?.total ?? (length === null ? null : resumedFrom + length);
    await checkRoom(options, total, resumedFrom);
    const partial: Partial = { url: options.url, validator: validatorOf(response), total };
    await writeFile(`${path}.json`, JSON.stringify(partial));
    if (response.body === null) throw failed('the server sent nothing');
    const bytes = await writeBody(response.body, path, resumedFrom, (sofar) => {
      watch.refresh();
      if (sofar > options.maxBytes) throw failed(tooLarge(options.maxBytes));
      options.onProgress({ bytes: sofar, total, resumedFrom });
    });
    if (total !== null && bytes !== total) throw new Interrupted(`${bytes} of ${total} bytes came`);
  } catch (error) {
    throw explained(error, stalled.signal.aborted, options);
  } finally {
    clearTimeout(watch);
  }
}

/** Piece by piece, so that what came before the connection breaks is in the file. @returns the bytes of the file then */
async function writeBody(
  body: ReadableStream<Uint8Array>,
  path: string,
  from: number,
  onBytes: (bytes: number) => void,
): Promise<number> {
  const file = await open(path, from > 0 ? 'a' : 'w');
  try {
    let bytes = from;
    for await (const chunk of body) {
      await file.writeFile(chunk);
      bytes += chunk.length;
      onBytes(bytes);
    }
    return bytes;
  } finally {
    await file.close();
  }
}

function ask(
  options: DownloadOptions,
  known: Partial | null,
  have: number,
  stalled: AbortSignal,
): Promise<Response> {
  // Compressed on the way it could not be resumed: ranges are of what is sent.
  const headers: Record<string, string> = { 'accept-encoding': 'identity', 'user-agent': 'earshot' };
  if (known !== null && known.validator !== null) {
    headers['range'] = `bytes=${have}-`;
    headers['if-range'] = known.validator;
  }
  const signals = options.signal === undefined ? [stalled] : [stalled, options.signal];
  return fetch(options.url, { headers, signal: AbortSignal.any(signals) });
}

function checkStatus(response: Response): void {
  if (response.status === 200 || response.status === 206) return;
  const { status } = response;
  if (status === 429 || status >= 500) throw new Interrupted(`the server answered ${status}`);
  const why =
    status === 404 || status === 410
      ? 'there is no such file (any more)'
      : status === 401 || status === 403
        ? 'the server wants a sign-in or a licence to be accepted'
        : `the server answered ${status}`;
  throw failed(`${why}: ${response.url} (HTTP ${status})`);
}

async function checkRoom(options: DownloadOptions, total: number | null, have: number): Promise<void> {
  if (total === null) return;
  if (total > options.maxBytes) throw failed(tooLarge(options.maxBytes));
  const { bavail, bsize } = await statfs(options.folder);
  const free = bavail * bsize;
  if (total - have + SPARE_BYTES > free) {
    throw new EarshotError(
      'DISK_FULL',
      `${megabytes(total - have)} MB are to come, ${megabytes(free)} MB are free, and ${megabytes(SPARE_BYTES)} are to stay so`,
    );
  }
}

function explained(error: unknown, stalled: boolean, options: DownloadOptions): Error {
  if (error instanceof EarshotError || error instanceof Interrupted) return error;
  if (stalled) return new Interrupted(`nothing came for ${options.stallMs / 1000} s`);
  const { code, message } = rootOf(error);
  if (['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'EIO', 'ENOTDIR', 'EISDIR'].includes(code))
    return diskError(error);
  const { hostname } = new URL(options.url);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new Interrupted(`the name ${hostname} cannot be resolved: is there a network?`);
  }
  if (code === 'ECONNREFUSED') return new Interrupted(`${hostname} refuses connections`);
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code))
    return failed(`the certificate of ${hostname} is not trusted: ${message}`, error);
  return new Interrupted(`the connection broke: ${message}`);
}

/** fetch says `fetch failed` or `terminated`, and why in its cause. */
function rootOf(error: unknown): { readonly code: string; readonly message: string } {
  let at = error;
  while (at instanceof Error && at.cause instanceof Error) at = at.cause;
  if (!(at instanceof Error)) return { code: '', message: String(at) };
  return { code: (at as NodeJS.ErrnoException).code ?? '', message: at.message };
}

function diskError(error: unknown): EarshotError {
  const { code, message } = error as NodeJS.ErrnoException;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new EarshotError(full ? 'DISK_FULL' : 'DATA_DIR_UNUSABLE', message, { cause: error });
}

async function partialOf(path: string, url: string): Promise<Partial | null> {
  try {
    const partial = JSON.parse(await readFile(`${path}.json`, 'utf8')) as Partial;
    return partial.url === url && partial.validator !== null ? partial : null;
  } catch {
    // None, or half-written by a process that died: begun anew.
    return null;
  }
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => null))?.size ?? 0;

/** Only a strong ETag may be used with If-Range. */
function validatorOf(response: Response): string | null {
  if (response.headers.get('content-encoding') !== null) return null;
  const etag = response.headers.get('etag');
  return etag !== null && !etag.startsWith('W/') ? etag : response.headers.get('last-modified');
}

/** Bytes of this answer; null when it is compressed on the way or not said. */
function lengthOf(response: Response): number | null {
  const text = response.headers.get('content-length');
  if (text === null || !/^\d+$/.test(text) || response.headers.get('content-encoding') !== null) return null;
  return Number(text);
}

/** Where the bytes of this answer begin, and how many the whole file has (null: not said). */
function rangeOf(response: Response): { readonly from: number; readonly total: number | null } | null {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  if (match === null) return null;
  return { from: Number(match[1]), total: match[2] === '*' ? null : Number(match[2]) };
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e6);
const tooLarge = (maxBytes: number): string =>
  `it is larger than ${megabytes(maxBytes)} MB, more than any model here has`;
