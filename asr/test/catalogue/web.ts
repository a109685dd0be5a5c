import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Answer = (request: http.IncomingMessage, response: http.ServerResponse, nth: number) => void;

/** A web server of the test's own; `answer` may be changed between requests. */
export class Web {
  answer: Answer = (_request, response) => response.writeHead(404).end();
  readonly requests: http.IncomingHttpHeaders[] = [];
  readonly #server: http.Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: http.Server) {
    this.#server = server;
  }

  static async open(): Promise<Web> {
    const server = http.createServer();
    const web = new Web(server);
    server.on('connection', (socket) => {
      web.#sockets.add(socket);
      socket.on('close', () => web.#sockets.delete(socket));
    });
    server.on('request', (request, response) => {
      web.requests.push(request.headers);
      web.answer(request, response, web.requests.length - 1);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return web;
  }

  url(path: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${path}`;
  }

  /** Serves bytes as a good server of files does: ranges, If-Range, ETag. */
  serve(bytes: Uint8Array, etag: string): void {
    this.answer = fileAnswer(bytes, etag);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** @param cutAfter bytes after which the connection is broken off @param when awaited before that */
export function fileAnswer(
  bytes: Uint8Array,
  etag: string,
  cutAfter = Infinity,
  when: () => Promise<unknown> = () => Promise.resolve(),
): Answer {
  return (request, response) => {
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const same = request.headers['if-range'] === etag;
    const from = range !== null && same ? Number(range[1]) : 0;
    if (from > 0 && from >= bytes.length) {
      response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
      return;
    }
    const rest = bytes.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      etag,
      'content-length': rest.length,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    if (rest.length <= cutAfter) response.end(rest);
    else response.write(rest.subarray(0, cutAfter), () => void when().then(() => response.socket?.destroy()));
  };
}

export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'es-model-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
