import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { catalogue, type ErrorCode, type FromCommands, type ToCommands } from '@earshot/contracts';
import { createLog, createRegistry, listen, type Listener, migrate } from '@earshot/platform';
import pg from 'pg';
import { withPostgres } from '../../host/test/postgres.ts';
import { type Server, type ServerOptions, startServer } from '../src/server.ts';
import { LogWriter } from './log-writer.ts';

export const API_KEY = 'a-test-key-that-is-long-enough';
export const log = createLog('test', 'fatal');

/** Waits for a condition, and says what it waited for when it does not come. */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  limitMs = 10_000,
): Promise<NonNullable<T>> {
  const end = Date.now() + limitMs;
  for (;;) {
    const value = await probe();
    if (value !== null && value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

export const jsonRequest = (body: unknown, method = 'POST'): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

export interface Harness {
  readonly server: Server;
  readonly url: string;
  readonly dataDir: string;
  readonly pool: pg.Pool;
  readonly writer: LogWriter;
  readonly transcripts: FakeTranscripts;
  /** A request with the API key, unless init says otherwise. */
  request(path: string, init?: RequestInit): Promise<Response>;
  json<T>(path: string, init?: RequestInit): Promise<T>;
  /** A request with a JSON body; without one when it is left out. */
  send(path: string, method: string, body?: unknown): Promise<Response>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface HarnessOptions {
  readonly signinToken?: string;
  readonly pageDir?: string;
  readonly publicUrl?: string;
  readonly port?: number;
  readonly httpBind?: string;
  /** With our own SIP endpoint on this port; without it, as beside a drachtio-server. */
  readonly sipPort?: number;
  readonly now?: () => number;
}

/** The whole service on a free port, with a database of its own, and someone who writes the log as transcripts does. */
export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const database = await withPostgres();
  await migrate(database.url, log);
  const dataDir = await mkdtemp(join(tmpdir(), 'es-api-'));
  mkdirSync(join(dataDir, 'recordings'));
  const busPath = join(dataDir, 'live');
  let open = true;
  const serverOptions = (port: number): ServerOptions => {
    const registry = createRegistry('dashboard-api');
    return {
      config: {
        httpBind: options.httpBind ?? '127.0.0.1',
        httpPort: port,
        sipBind: '127.0.0.1',
        sipPort: options.sipPort ?? 5060,
        publicUrl: options.publicUrl ?? null,
        dataDir,
        databaseUrl: database.url,
        apiKey: API_KEY,
        maxCalls: null,
      },
      log,
      registry,
      metrics: async () => [
        { process: 'dashboard-api', pid: process.pid, metrics: await registry.getMetricsAsJSON() },
        ...(options.sipPort === undefined ? [] : [{ process: 'sip-endpoint-0', pid: 0, metrics: [] }]),
      ],
      admission: { open: () => open, set: (wanted) => ((open = wanted), true) },
      busPath,
      commandsPath: join(dataDir, 'commands'),
      pageDir: options.pageDir ?? join(dataDir, 'no-page'),
      signinToken: options.signinToken ?? null,
      ...(options.now === undefined ? {} : { now: options.now }),
    };
  };
  let server = await startServer(serverOptions(options.port ?? 0));
  const pool = new pg.Pool({ connectionString: database.url, max: 6 });
  // The database is dropped while the last clients say goodbye.
  pool.on('error', () => undefined);
  const writer = new LogWriter(pool, busPath);
  const transcripts = await FakeTranscripts.listen(join(dataDir, 'commands'), pool, writer);
  await until('the bus to be connected', () => writer.connected);
  const local = `http://127.0.0.1:${server.port}`;
  const request = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(local + path, {
      ...init,
      headers: { authorization: `Bearer ${API_KEY}`, ...(init.headers as Record<string, string>) },
    });
  return {
    get server() {
      return server;
    },
    url: local,
    dataDir,
    pool,
    writer,
    transcripts,
    request,
    send: (path, method, body) => request(path, body === undefined ? { method } : jsonRequest(body, method)),
    json: async <T>(path: string, init?: RequestInit) => (await (await request(path, init)).json()) as T,
    restart: async () => {
      const { port } = server;
      await server.close();
      server = await startServer(serverOptions(port));
      await until('the bus to be connected again', () => writer.connected);
    },
    stop: async () => {
      writer.close();
      await server.close();
      await transcripts.close();
      await pool.end();
      await database.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** transcripts' commands socket: it writes the vocabulary, pauses calls, and remembers the rest. */
export class FakeTranscripts {
  readonly commands: ToCommands[] = [];
  /** Answers instead, when it returns something. */
  refuse: (message: ToCommands) => { code: string; message: string } | null = () => null;
  readonly #listener: Listener;

  private constructor(listener: Listener) {
    this.#listener = listener;
  }

  static async listen(path: string, pool: pg.Pool, writer: LogWriter): Promise<FakeTranscripts> {
    let fake: FakeTranscripts | null = null;
    const listener = await listen<ToCommands, FromCommands>(path, (connection) => ({
      message: (message) => {
        fake?.commands.push(message);
        const refused = fake?.refuse(message) ?? null;
        if (refused !== null) connection.send({ type: 'refused', id: message.id, ...refused });
        else {
          void write(pool, writer, message).then((code) =>
            connection.send(
              code === null
                ? { type: 'done', id: message.id }
                : { type: 'refused', id: message.id, code, message: catalogue[code].title },
            ),
          );
        }
      },
      close: () => undefined,
    }));
    return (fake = new FakeTranscripts(listener));
  }

  close(): Promise<void> {
    return this.#listener.close();
  }
}

/** @returns why it is refused, or null */
async function write(pool: pg.Pool, writer: LogWriter, message: ToCommands): Promise<ErrorCode | null> {
  if (message.type === 'vocabulary.put') {
    await pool.query(
      `insert into vocabulary (name, phrases) values ($1, $2)
       on conflict (name) do update set phrases = excluded.phrases, updated_at = now()`,
      [message.name, JSON.stringify(message.phrases)],
    );
  } else if (message.type === 'vocabulary.delete') {
    await pool.query('delete from vocabulary where name = $1', [message.name]);
  } else if (message.type === 'channel.correct') {
    return writer.correct(message);
  } else if (message.type === 'call.pause') {
    const { rows } = await pool.query<{ paused: boolean; ended: boolean }>(
      'select paused, ended_at is not null as ended from calls where id = $1',
      [message.callId],
    );
    if (rows[0] === undefined) return 'CALL_NOT_FOUND';
    if (rows[0].ended) return 'CALL_NOT_LIVE';
    if (rows[0].paused !== message.paused) await writer.pause(message.callId, message.paused);
  }
  return null;
}
