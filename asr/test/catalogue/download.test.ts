import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { download, type DownloadOptions, type Progress } from '../../src/catalogue/download.ts';
import { fileAnswer, temporaryFolder, Web } from './web.ts';

const FILE = randomBytes(300_000);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let web: Web;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let progress: Progress[] = [];

beforeEach(async () => {
  web = await Web.open();
  folder = await temporaryFolder();
  progress = [];
});
afterEach(async () => {
  await web.close();
  await folder.remove();
});

const options = (change: Partial<DownloadOptions> = {}): DownloadOptions => ({
  url: web.url('model.tar.bz2'),
  folder: folder.path,
  maxBytes: 1e6,
  stallMs: 20_000,
  pausesMs: [],
  onProgress: (each) => progress.push(each),
  ...change,
});

/** Something of this request has come to the client. */
const arrived = (): Promise<unknown> =>
  expect.poll(() => progress.length, { timeout: 20_000, interval: 5 }).toBeGreaterThan(0);

test('a file is downloaded whole, with its checksum and progress', async () => {
  web.serve(FILE, '"v1"');
  const { path, ...result } = await download(options());
  expect(result).toEqual({ bytes: FILE.length, sha256: sha256(FILE) });
  expect(await readFile(path)).toEqual(FILE);
  expect(progress.at(-1)).toEqual({ bytes: FILE.length, total: FILE.length, resumedFrom: 0 });
});

test('a download that broke off goes on from where it stopped, at the next try of a person', async () => {
  web.answer = fileAnswer(FILE, '"v1"', 100_000, arrived);
  await expect(download(options())).rejects.toMatchObject({ code: 'MODEL_DOWNLOAD_FAILED' });
  web.serve(FILE, '"v1"');
  const { sha256: got } = await download(options());
  expect(got).toBe(sha256(FILE));
  expect(web.requests[1]).toMatchObject({ 'if-range': '"v1"' });
  const from = Number(/^bytes=(\d+)-$/.exec(web.requests[1]?.range ?? '')?.[1]);
  expect(from).toBeGreaterThan(0);
  expect(progress.at(-1)).toEqual({ bytes: FILE.length, total: FILE.length, resumedFrom: from });
});

test('within one call it tries again by itself as often as there are pauses', async () => {
  web.answer = (request, response, nth) =>
    fileAnswer(FILE, '"v1"', nth < 2 ? 50_000 : Infinity)(request, response, nth);
  expect((await download(options({ pausesMs: [1, 1] }))).sha256).toBe(sha256(FILE));
  expect(web.requests).toHaveLength(3);
});

test('when the file was changed meanwhile it is begun anew, not glued to the old one', async () => {
  web.answer = fileAnswer(FILE, '"v1"', 100_000, arrived);
  await expect(download(options())).rejects.toMatchObject({ code: 'MODEL_DOWNLOAD_FAILED' });
  const other = randomBytes(200_000);
  web.serve(other, '"v2"');
  expect((await download(options())).sha256).toBe(sha256(other));
});

test('a partial file without a validator of the server is begun anew', async () => {
  web.answer = (_request, response) => {
    response.writeHead(200, { 'content-length': FILE.length });
    response.write(FILE.subarray(0, 100_000), () => void arrived().then(() => response.socket?.destroy()));
  };
  await expect(download(options())).rejects.toMatchObject({ code: 'MODEL_DOWNLOAD_FAILED' });
  web.serve(FILE, '"v1"');
  expect((await download(options())).sha256).toBe(sha256(FILE));
  expect(web.requests[1]?.range).toBeUndefined();
});

test('a server that answers another range than asked for does not damage the file', async () => {
  web.answer = fileAnswer(FILE, '"v1"', 100_000, arrived);
  await expect(download(options())).rejects.toMatchObject({ code: 'MODEL_DOWNLOAD_FAILED' });
  web.answer = (request, response, nth) => {
    if (nth > 1) return fileAnswer(FILE, '"v1"')(request, response, nth);
    response.writeHead(206, { 'content-range': `bytes 0-9/${FILE.length}` }).end(FILE.subarray(0, 10));
  };
  expect((await download(options({ pausesMs: [1] }))).sha256).toBe(sha256(FILE));
});

test('a server that says nothing for too long is given up, and what came is kept', async () => {
  web.answer = (_request, response) => {
    response.writeHead(200, { 'content-length': FILE.length, etag: '"v1"' });
    response.write(FILE.subarray(0, 10_000));
  };
  await expect(download(options({ stallMs: 300 }))).rejects.toMatchObject({
    code: 'MODEL_DOWNLOAD_FAILED',
    message: 'nothing came for 0.3 s',
  });
  web.serve(FILE, '"v1"');
  expect((await download(options())).sha256).toBe(sha256(FILE));
  expect(web.requests[1]?.range).toBe('bytes=10000-');
});

test.each([
  [404, 'no such file'],
  [403, 'sign-in or a licence'],
  [418, 'answered 418'],
])('status %d is explained and not tried again', async (status, text) => {
  web.answer = (_request, response) => response.writeHead(status).end('sorry');
  await expect(download(options({ pausesMs: [1, 1] }))).rejects.toMatchObject({
    code: 'MODEL_DOWNLOAD_FAILED',
    message: expect.stringContaining(text) as string,
  });
  expect(web.requests).toHaveLength(1);
});

test('a server with a bad moment (503) is asked again', async () => {
  web.answer = (request, response, nth) =>
    nth === 0 ? response.writeHead(503).end() : fileAnswer(FILE, '"v1"')(request, response, nth);
  expect((await download(options({ pausesMs: [1] }))).sha256).toBe(sha256(FILE));
});

test('a name that does not exist and a port where nobody listens are told apart', async () => {
  await expect(download(options({ url: 'http://no-such-host.invalid/m' }))).rejects.toMatchObject({
    code: 'MODEL_DOWNLOAD_FAILED',
    message: expect.stringContaining('no-such-host.invalid cannot be resolved') as string,
  });
  const nobody = options();
  await web.close();
  await expect(download(nobody)).rejects.toMatchObject({
    message: expect.stringContaining('refuses connections') as string,
  });
  web = await Web.open();
});

test('a redirect, as release pages answer, is followed', async () => {
  web.answer = (request, response, nth) =>
    request.url === '/elsewhere'
      ? fileAnswer(FILE, '"v1"')(request, response, nth)
      : response.writeHead(302, { location: '/elsewhere' }).end();
  expect((await download(options())).sha256).toBe(sha256(FILE));
});

test('a server that compresses though it was asked not to is unpacked, and never resumed', async () => {
  const body = gzipSync(FILE);
  web.answer = (_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': body.length, etag: '"v1"' });
    response.write(body.subarray(0, 100_000), () => void arrived().then(() => response.socket?.destroy()));
  };
  await expect(download(options())).rejects.toMatchObject({ code: 'MODEL_DOWNLOAD_FAILED' });
  web.answer = (_request, response) =>
    response
      .writeHead(200, { 'content-encoding': 'gzip', 'content-length': body.length, etag: '"v1"' })
      .end(body);
  expect((await download(options())).sha256).toBe(sha256(FILE));
  expect(web.requests[0]?.['accept-encoding']).toBe('identity');
  expect(web.requests[1]?.range).toBeUndefined();
});

test('more than the limit is refused, whether the server says so before or not', async () => {
  web.serve(FILE, '"v1"');
  await expect(download(options({ maxBytes: 200_000 }))).rejects.toMatchObject({
    message: expect.stringContaining('larger than') as string,
  });
  web.answer = (_request, response) => {
    response.writeHead(200);
    response.end(FILE);
  };
  await expect(download(options({ maxBytes: 200_000 }))).rejects.toMatchObject({
    message: expect.stringContaining('larger than') as string,
  });
});

test('a file larger than the free disk is refused before it is begun', async () => {
  web.answer = (_request, response) => {
    response.writeHead(200, { 'content-length': 2 ** 52, etag: '"v1"' });
    response.write('x');
  };
  await expect(download(options({ maxBytes: 2 ** 53 }))).rejects.toMatchObject({ code: 'DISK_FULL' });
});

test('a folder that cannot be written is named', async () => {
  await writeFile(join(folder.path, 'file'), '');
  web.serve(FILE, '"v1"');
  await expect(download(options({ folder: join(folder.path, 'file', 'below') }))).rejects.toMatchObject({
    code: 'DATA_DIR_UNUSABLE',
  });
});

test('a damaged note of a partial file does not stop a download', async () => {
  web.answer = fileAnswer(FILE, '"v1"', 100_000, arrived);
  await expect(download(options())).rejects.toMatchObject({ code: 'MODEL_DOWNLOAD_FAILED' });
  const note = (await readdir(folder.path)).find((name) => name.endsWith('.json'));
  await writeFile(join(folder.path, note!), '{"url":');
  web.serve(FILE, '"v1"');
  expect((await download(options())).sha256).toBe(sha256(FILE));
});
