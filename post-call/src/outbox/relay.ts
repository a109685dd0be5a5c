import { PG_CHANNELS } from '@earshot/contracts';
import type { Log, Pool, PoolClient } from '@earshot/platform';
import type { PostCallMetrics } from '../metrics.ts';
import { jobOf, type JobSpec } from '../queues/jobs.ts';

/** For a notification that was lost with its connection. */
const POLL_MS = 5000;
const BATCH_ROWS = 200;
const RETRY_MS = 1000;
/**
 * After rows were taken more are gathered for so long: enqueuing costs PostgreSQL some 10 ms however many jobs there are, and
 * 50 calls a second write 200 rows.
 */
const GATHER_MS = 250;
/** One line a minute while the database is away. */
const COMPLAIN_MS = 60_000;

export interface RelayOptions {
  readonly pool: Pool;
  readonly log: Log;
  readonly metrics: PostCallMetrics;
  /** Enqueues; rejects when a queue did not take its jobs. */
  readonly enqueue: (jobs: readonly JobSpec[]) => Promise<void>;
  readonly pollMs?: number;
}

/**
 * Turns outbox rows into jobs: enqueue first, delete after. Dying in between means the rows are taken again, and the job
 * ids see to it that nothing happens twice.
 */
export class OutboxRelay {
  readonly #options: RelayOptions;
  #listener: PoolClient | null = null;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;
  #again = false;
  #closed = false;
  #endRest: () => void = () => undefined;
  #complainedMs = -Infinity;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.wake(), options.pollMs ?? POLL_MS);
    void this.#listen();
    this.wake();
  }

  /** There may be rows. */
  wake(): void {
    if (this.#closed) return;
    this.#again = true;
    this.#running ??= this.#run().finally(() => (this.#running = null));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#endRest();
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#running;
    this.#listener?.release(true);
    this.#listener = null;
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      try {
        let taken: number;
        do taken = await this.#pass();
        while (taken === BATCH_ROWS && !this.#closed);
        if (taken > 0 && !this.#closed) await this.#rest();
      } catch (error) {
        this.#complain(error);
      }
    }
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, GATHER_MS);
      this.#endRest = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** @returns rows taken */
  async #pass(): Promise<number> {
    const { pool, log, metrics, enqueue } = this.#options;
    const { rows } = await pool.query<{ id: number; payload: unknown }>(
      'select id, payload from outbox order by id limit $1',
      [BATCH_ROWS],
    );
    const total = rows.length < BATCH_ROWS ? rows.length : await this.#count();
    metrics.outboxRows.set(total);
    if (rows.length === 0) return 0;
    const jobs: JobSpec[] = [];
    for (const row of rows) {
      const job = jobOf(row.id, row.payload);
      if (job === null) log.error({ row: row.id }, 'outbox row not understood, left out');
      else jobs.push(job);
    }
    await enqueue(jobs);
    await pool.query('delete from outbox where id = any($1)', [rows.map((row) => row.id)]);
    metrics.outboxRows.set(total - rows.length);
    return rows.length;
  }

  async #count(): Promise<number> {
    const { rows } = await this.#options.pool.query<{ n: number }>('select count(*)::int as n from outbox');
    return rows[0]?.n ?? 0;
  }

  async #listen(): Promise<void> {
    let client: PoolClient;
    try {
      client = await this.#options.pool.connect();
    } catch (error) {
      this.#complain(error);
      this.#listenLater();
      return;
    }
    const lost = (error?: Error): void => {
      if (this.#listener !== client) return;
      this.#listener = null;
      client.release(true);
      if (error !== undefined) this.#complain(error);
      this.#listenLater();
    };
    client.on('error', lost);
    client.on('end', () => lost());
    client.on('notification', () => this.wake());
    this.#listener = client;
    try {
      await client.query(`listen ${PG_CHANNELS.outbox}`);
      if (this.#closed) lost();
      this.wake();
    } catch (error) {
      lost(error as Error);
    }
  }

  #complain(error: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.#complainedMs < COMPLAIN_MS) return;
    this.#complainedMs = nowMs;
    this.#options.log.warn({ err: error }, 'outbox not relayed, tried again until it is');
  }

  #listenLater(): void {
    if (!this.#closed) setTimeout(() => void this.#listen(), RETRY_MS).unref();
  }
}
