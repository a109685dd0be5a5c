import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CallId,
  type FromCommands,
  type LoggedEventType,
  newCallId,
  type OutboxRow,
  PG_CHANNELS,
  sockets,
  type ToCommands,
} from '@earshot/contracts';
import {
  createLog,
  createPool,
  createRegistry,
  listen,
  type Listener,
  migrate,
  type Pool,
} from '@earshot/platform';
import { type PostCallOptions, startPostCall } from '../src/service.ts';

export { until } from '../../platform/test/until.ts';

export const log = createLog('test', process.env['TEST_LOG'] ?? 'silent');

export const testCallId = (): CallId => newCallId(Date.now(), randomBytes(10));

export interface Received {
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly path: string;
}

/** A webhook endpoint on loopback. */
export class Endpoint {
  readonly received: Received[] = [];
  readonly #server: http.Server;
  respond: (response: http.ServerResponse, received: Received) => void = (response) => response.end();

  constructor() {
    this.#server = http.createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        const received = { headers: request.headers, body, path: request.url ?? '' };
        this.received.push(received);
        this.respond(response, received);
      });
    });
  }

  static async start(): Promise<Endpoint> {
    const endpoint = new Endpoint();
    endpoint.#server.listen(0, '127.0.0.1');
    await once(endpoint.#server, 'listening');
    return endpoint;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook?x=1`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** transcripts' commands socket and its rows, as far as post-call needs them. */
export class CallLog {
  readonly commands: ToCommands[] = [];
  readonly pool: Pool;
  /** What is answered to commands that are not of recordings. */
  answer: (message: ToCommands) => FromCommands = ({ id }) => ({ type: 'done', id });
  #listener: Listener | null = null;
  #seq = 0;

  constructor(url: string) {
    this.pool = createPool(url, log, 3);
  }

  async listenCommands(runDir: string): Promise<void> {
    this.#listener = await listen<ToCommands, FromCommands>(join(runDir, sockets.commands), (connection) => ({
      message: (message) => {
        this.commands.push(message);
        if (message.type !== 'recording.ready') {
          connection.send(this.answer(message));
          return;
        }
        this.pool
          .query('update calls set recording = $2 where id = $1', [
            message.callId,
            JSON.stringify(message.recording),
          ])
          .then(() => connection.send({ type: 'done', id: message.id }))
          .catch((error: Error) => log.error({ err: error }, 'command failed'));
      },
      close: () => undefined,
    }));
  }

  async addCall(callId: CallId, channels = 2): Promise<void> {
    await this.pool.query(
      `insert into calls (id, started_at, dialect, sip, external_ids, channels, worker)
       values ($1, now(), 'plain', '{}', '{}', (select jsonb_agg(n) from generate_series(1, $2::int) n), 0)`,
      [callId, channels],
    );
  }

  /** An event and its outbox row. */
  async addEvent(callId: CallId, type: LoggedEventType, data: object = { id: callId }): Promise<number> {
    const seq = ++this.#seq;
    await this.pool.query(
      `insert into events (seq, epoch, call_id, call_seq, type, timestamp, data) values ($1::int, 1, $2, $1::int, $3, now(), $4)`,
      [seq, callId, type, JSON.stringify(data)],
    );
    await this.addOutbox({ kind: 'webhook', seq, event: type, callId });
    return seq;
  }

  async addOutbox(payload: OutboxRow & { webhookId?: string }): Promise<void> {
    await this.pool.query('insert into outbox (payload) values ($1)', [JSON.stringify(payload)]);
    await this.pool.query('select pg_notify($1, $2)', [PG_CHANNELS.outbox, '']);
  }

  async addWebhook(url: string, events: readonly string[]): Promise<{ id: string; secret: string }> {
    const id = `wh_${randomBytes(6).toString('hex')}`;
    const secret = `whsec_${randomBytes(32).toString('base64')}`;
    await this.pool.query('insert into webhooks (id, url, events, secret) values ($1, $2, $3, $4)', [
      id,
      url,
      events,
      secret,
    ]);
    return { id, secret };
  }

  async deliveries(): Promise<DeliveryRow[]> {
    return (await this.pool.query<DeliveryRow>('select * from deliveries order by seq, id')).rows;
  }

  async outboxCount(): Promise<number> {
    return (await this.pool.query<{ n: number }>('select count(*)::int as n from outbox')).rows[0]?.n ?? 0;
  }

  async close(): Promise<void> {
    await this.#listener?.close();
    await this.pool.end();
  }
}

export interface DeliveryRow {
  id: string;
  webhook_id: string;
  seq: number;
  event: string;
  state: string;
  attempts: { at: string; status: number | null; error: string | null; durationMs: number }[];
  next_attempt_at: Date | null;
}

export const migrated = async (url: string): Promise<string> => {
  await migrate(url, log);
  return url;
};

export const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'ep-'));

/** The real process. */
export const spawnPostCall = (url: string, folder: string): ChildProcess =>
  spawn(process.execPath, [join(import.meta.dirname, '../main.ts')], {
    env: {
      ...process.env,
      DATABASE_URL: url,
      DATA_DIR: folder,
      EARSHOT_RUN_DIR: folder,
      LOG_LEVEL: 'warn',
      RECORDING_FORMATS: 'wav,opus',
    },
    stdio: process.env['TEST_LOG'] === undefined ? 'ignore' : 'inherit',
  });

/** The service in this process. */
export async function startService(
  url: string,
  folder: string,
  options: Partial<PostCallOptions> = {},
): Promise<{ stop(): Promise<void>; metrics(): Promise<string> }> {
  const pool = createPool(url, log, 6);
  const registry = createRegistry('test');
  const postCall = await startPostCall({
    config: {
      redisUrl: null,
      dataDir: folder,
      record: true,
      recordingFormats: ['wav', 'opus'],
      httpBind: '127.0.0.1',
      asrModel: null,
      ...options.config,
    },
    databaseUrl: url,
    pool,
    log,
    registry,
    runDir: folder,
    pollMs: 1000,
    scheduleMs: [0, 100, 100],
    ...('limits' in options ? { limits: options.limits } : {}),
    ...('tries' in options ? { tries: options.tries } : {}),
    ...('scheduleMs' in options ? { scheduleMs: options.scheduleMs } : {}),
    stalled: { lockMs: 2000, stalledCheckMs: 1000 },
  });
  return {
    metrics: () => registry.metrics(),
    stop: async () => {
      await postCall.drain();
      await pool.end();
    },
  };
}

export const removeFolder = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });
