import { setTimeout as delay } from 'node:timers/promises';
import { EarshotError } from '@earshot/contracts';
import type { Config, Log, Pool } from '@earshot/platform';
import { createPostgresBackend, Queue, Worker, type Job, type JobsOptions } from 'bullmq';
import type { PostCallMetrics } from '../metrics.ts';

/** Finished jobs are kept this long: a row that is taken again after a crash finds its job and makes no second one. */
const KEEP_COMPLETED_S = 3600;
const KEEP_FAILED_S = 24 * 3600;
/** BullMQ logs every step of a job for listeners that we do not have; its PostgreSQL backend never trims that log. */
const KEEP_EVENTS_MS = 600_000;
const TRIM_MS = 600_000;
/** While the database is away BullMQ reports it many times a second: one line a minute says as much. */
const COMPLAIN_MS = 60_000;
const READY_LIMIT_MS = 10_000;
/** A job whose process died is taken up again after at most lock + check. */
const LOCK_MS = 15_000;
const STALLED_CHECK_MS = 10_000;
/** How often a job may lose its process before it fails. BullMQ's default of 1 is for jobs that kill theirs. */
const MAX_STALLED = 20;

export interface JobsOfQueue<Data> {
  add(jobs: readonly { id: string; data: Data }[], options?: JobsOptions): Promise<void>;
}

export interface WorkerOptions {
  readonly concurrency: number;
  /** Milliseconds to the next try of a job that failed. */
  readonly backoffMs: (attemptsMade: number, error: Error | undefined) => number;
  readonly lockMs?: number;
  readonly stalledCheckMs?: number;
}

export type JobOf<Data> = Pick<Job<Data, void, string>, 'id' | 'data' | 'attemptsMade'>;

/**
 * BullMQ, on its PostgreSQL backend or on Redis (REDIS_URL). With PostgreSQL each object opens a pool (of two) and a
 * LISTEN connection of its own; its tables live in the schema bullmq.
 */
export class Jobs {
  readonly #redisUrl: string | null;
  readonly #databaseUrl: string;
  readonly #log: Log;
  readonly #metrics: PostCallMetrics;
  #complainedMs = -Infinity;
  #trimmer: NodeJS.Timeout | null = null;
  readonly #queues: Queue[] = [];
  readonly #workers: Worker[] = [];

  private constructor(
    config: Pick<Config, 'redisUrl'>,
    databaseUrl: string,
    log: Log,
    metrics: PostCallMetrics,
  ) {
    this.#redisUrl = config.redisUrl;
    this.#databaseUrl = databaseUrl;
    this.#log = log;
    this.#metrics = metrics;
  }

  /** @throws EarshotError REDIS_UNREACHABLE when REDIS_URL is set and nothing answers there */
  static async open(
    config: Pick<Config, 'redisUrl'>,
    databaseUrl: string,
    log: Log,
    metrics: PostCallMetrics,
  ): Promise<Jobs> {
    const jobs = new Jobs(config, databaseUrl, log, metrics);
    // The first object brings BullMQ's schema up to date (under its own advisory lock), before the others need it.
    const first = jobs.#queue('recording', true);
    const late = delay(READY_LIMIT_MS, 'late' as const, { ref: false });
    if ((await Promise.race([first.waitUntilReady(), late])) === 'late' && config.redisUrl !== null) {
      await jobs.close(0);
      const { host } = new URL(config.redisUrl);
      throw new EarshotError('REDIS_UNREACHABLE', `${host} did not answer within ${READY_LIMIT_MS / 1000} s`);
    }
    return jobs;
  }

  /** Keeps BullMQ's own event log short, on PostgreSQL. */
  keepTrimmed(pool: Pool, nowMs: () => number): void {
    if (this.#redisUrl !== null) return;
    const trim = (): void => {
      pool
        .query('delete from bullmq.event where created_at_ms < $1', [nowMs() - KEEP_EVENTS_MS])
        .catch((error: Error) => this.#log.warn({ err: error }, 'job events not trimmed'));
    };
    trim();
    this.#trimmer = setInterval(trim, TRIM_MS);
  }

  /** The sending end of a queue. */
  sender<Data>(name: string, defaults: JobsOptions): JobsOfQueue<Data> {
    const queue = this.#queues.find((known) => known.name === name) ?? this.#queue(name, false);
    return {
      add: async (jobs, options = {}) => {
        // BullMQ would ask the database all the same: 10 ms of its time for nothing.
        if (jobs.length === 0) return;
        const opts = {
          removeOnComplete: { age: KEEP_COMPLETED_S },
          removeOnFail: { age: KEEP_FAILED_S },
          ...defaults,
          ...options,
        };
        await queue.addBulk(jobs.map(({ id, data }) => ({ name, data, opts: { ...opts, jobId: id } })));
      },
    };
  }

  /** Starts working on a queue. An error thrown by process is a try that failed. */
  work<Data>(name: string, options: WorkerOptions, process: (job: JobOf<Data>) => Promise<void>): void {
    const workerOptions = {
      concurrency: options.concurrency,
      lockDuration: options.lockMs ?? LOCK_MS,
      stalledInterval: options.stalledCheckMs ?? STALLED_CHECK_MS,
      maxStalledCount: MAX_STALLED,
      runRetryDelay: 1000,
      settings: {
        backoffStrategy: (attemptsMade: number, _type?: string, error?: Error) =>
          options.backoffMs(attemptsMade, error),
      },
    };
    const run = (job: Job<Data, void>): Promise<void> => process(job);
    // The backend is a type parameter of BullMQ's classes; here it does not matter which it is.
    const worker = (this.#redisUrl === null
      ? new Worker(name, run, { ...workerOptions, connection: this.#postgres(false) }, createPostgresBackend)
      : new Worker(name, run, {
          ...workerOptions,
          connection: { url: this.#redisUrl },
        })) as unknown as Worker<Data, void>;
    worker.on('error', (error) => this.#unreachable(name, error));
    worker.on('completed', () => this.#metrics.jobs.inc({ queue: name, outcome: 'completed' }));
    worker.on('failed', (job, error) => {
      this.#metrics.jobs.inc({ queue: name, outcome: 'failed' });
      this.#log.debug({ queue: name, job: job?.id, reason: error.message }, 'job failed');
    });
    this.#workers.push(worker);
  }

  /** Lets running jobs finish for at most limitMs. What does not is taken up again by the next process. */
  async close(limitMs: number): Promise<void> {
    if (this.#trimmer !== null) clearInterval(this.#trimmer);
    const timer = setTimeout(() => {
      for (const worker of this.#workers)
        void worker.close(true).catch((error: Error) => this.#closeFailed(error));
    }, limitMs);
    const closing = Promise.allSettled(this.#workers.map((worker) => worker.close()));
    await Promise.race([closing, new Promise((resolve) => setTimeout(resolve, limitMs + 2000).unref())]);
    clearTimeout(timer);
    await Promise.allSettled(this.#queues.map((queue) => queue.close()));
  }

  #unreachable(queue: string, error: Error): void {
    const nowMs = performance.now();
    if (nowMs - this.#complainedMs < COMPLAIN_MS) return;
    this.#complainedMs = nowMs;
    this.#log.warn({ err: error, queue }, 'job queues not reachable');
  }

  #closeFailed(error: Error): void {
    this.#log.warn({ err: error }, 'worker did not close');
  }

  #queue(name: string, migrate: boolean): Queue {
    const queue =
      this.#redisUrl === null
        ? new Queue(name, { connection: this.#postgres(migrate) }, createPostgresBackend)
        : new Queue(name, { connection: { url: this.#redisUrl } });
    queue.on('error', (error: Error) => this.#unreachable(name, error));
    this.#queues.push(queue as unknown as Queue);
    return queue as unknown as Queue;
  }

  #postgres(migrate: boolean) {
    return {
      connectionString: this.#databaseUrl,
      max: 2,
      connectionTimeoutMillis: 5000,
      ...(migrate ? { migrate: true } : {}),
    };
  }
}
