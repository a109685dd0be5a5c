import { join } from 'node:path';
import { QUEUES, sockets } from '@earshot/contracts';
import { CommandClient, type Config, type Log, type Pool, type Registry } from '@earshot/platform';
import { createMetrics } from './metrics.ts';
import { OutboxRelay } from './outbox/relay.ts';
import { recordCall } from './processors/recording.ts';
import { requeueRetranscriptions, retranscribe } from './processors/retranscription.ts';
import {
  DELIVERIES,
  type DeliveryJob,
  type FanOutJob,
  type JobSpec,
  type RecordingJob,
  type RetranscriptionJob,
} from './queues/jobs.ts';
import { Jobs, type WorkerOptions } from './queues/queues.ts';
import { deliver, RetryLater } from './webhooks/deliver.ts';
import { eventsAskedFor, fanOut } from './webhooks/fan-out.ts';
import { type PostLimits, STANDARD_LIMITS } from './webhooks/post.ts';
import { Lanes } from './webhooks/lanes.ts';
import { STANDARD_SCHEDULE_MS } from './webhooks/schedule.ts';

/** Deliveries wait for other people's servers, so many may wait at once. */
/** Sixteen endpoints that hang leave room for others (lanes.ts). */
const DELIVERIES_AT_ONCE = 80;
const FAN_OUTS_AT_ONCE = 4;
/** Disk and CPU of one core; a live call comes first. */
const RECORDINGS_AT_ONCE = 1;
/** A core of its own each, at low priority. */
const RETRANSCRIPTIONS_AT_ONCE = 1;
/** The schedule of a delivery is its own; this only bounds tries that fail for reasons of ours (no database). */
const MAX_TRIES = 1000;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 60_000;
const DRAIN_LIMIT_MS = 8000;

export interface PostCallOptions {
  readonly config: Pick<
    Config,
    'redisUrl' | 'dataDir' | 'record' | 'recordingFormats' | 'httpBind' | 'asrModel'
  >;
  readonly databaseUrl: string;
  readonly pool: Pool;
  readonly log: Log;
  readonly registry: Registry;
  readonly runDir: string;
  /** For tests. */
  readonly scheduleMs?: readonly number[];
  readonly limits?: PostLimits;
  readonly pollMs?: number;
  readonly tries?: number;
  readonly stalled?: Pick<WorkerOptions, 'lockMs' | 'stalledCheckMs'>;
}

export interface PostCall {
  drain(): Promise<void>;
}

const isLoopback = (address: string): boolean =>
  address === 'localhost' || address === '::1' || address.startsWith('127.');

const retryPause = (attemptsMade: number): number =>
  Math.min(FIRST_RETRY_MS * 2 ** Math.min(attemptsMade - 1, 16), LAST_RETRY_MS);

/** New events go to whoever asks for them now; what one webhook is to get again it gets. */
async function fanOutsAskedFor(
  pool: Pool,
  specs: readonly JobSpec[],
): Promise<Extract<JobSpec, { readonly queue: typeof QUEUES.webhooks }>[]> {
  const jobs = specs.filter((spec) => spec.queue === QUEUES.webhooks);
  if (jobs.length === 0) return jobs;
  const asked = await eventsAskedFor(pool);
  return jobs.filter(({ data }) => data.webhookId !== null || asked.has(data.event));
}

/** Puts the rooms together: outbox → jobs → recordings, retranscriptions and webhooks. */
export async function startPostCall(options: PostCallOptions): Promise<PostCall> {
  const { config, databaseUrl, pool, log, registry, runDir } = options;
  const metrics = createMetrics(registry);
  const jobs = await Jobs.open(config, databaseUrl, log, metrics);
  jobs.keepTrimmed(pool, Date.now);
  const commands = new CommandClient(join(runDir, sockets.commands));
  const retried = { attempts: options.tries ?? MAX_TRIES, backoff: { type: 'custom' } };
  const recordings = jobs.sender<RecordingJob>(QUEUES.recording, retried);
  const fanOuts = jobs.sender<FanOutJob>(QUEUES.webhooks, retried);
  const deliveries = jobs.sender<DeliveryJob>(DELIVERIES, retried);
  const retranscriptions = jobs.sender<RetranscriptionJob>(QUEUES.retranscription, {
    ...retried,
    // requeueRetranscriptions makes the job again by the same id, which a job that is kept would stand in the way of.
    removeOnFail: true,
  });
  const stopping = new AbortController();

  const stalled = options.stalled ?? {};
  jobs.work<RecordingJob>(
    QUEUES.recording,
    { concurrency: RECORDINGS_AT_ONCE, backoffMs: retryPause, ...stalled },
    (job) =>
      recordCall(
        {
          pool,
          log,
          metrics,
          dataDir: config.dataDir,
          record: config.record,
          formats: config.recordingFormats,
          commands,
        },
        job.data,
      ),
  );
  const retranscribing = {
    pool,
    log,
    metrics,
    commands,
    dataDir: config.dataDir,
    asrModel: config.asrModel,
    stopping: stopping.signal,
  };
  jobs.work<RetranscriptionJob>(
    QUEUES.retranscription,
    { concurrency: RETRANSCRIPTIONS_AT_ONCE, backoffMs: retryPause, ...stalled },
    (job) => retranscribe(retranscribing, job.data, job.attemptsMade),
  );
  jobs.work<FanOutJob>(
    QUEUES.webhooks,
    { concurrency: FAN_OUTS_AT_ONCE, backoffMs: retryPause, ...stalled },
    (job) => fanOut(pool, deliveries, job.data),
  );
  const lanes = new Lanes();
  const deliverOptions = {
    pool,
    log,
    metrics,
    scheduleMs: options.scheduleMs ?? STANDARD_SCHEDULE_MS,
    limits: options.limits ?? STANDARD_LIMITS,
    allowLoopback: isLoopback(config.httpBind),
    now: Date.now,
    random: Math.random,
  };
  jobs.work<DeliveryJob>(
    DELIVERIES,
    {
      concurrency: DELIVERIES_AT_ONCE,
      backoffMs: (attemptsMade, error) =>
        error instanceof RetryLater ? error.pauseMs : retryPause(attemptsMade),
      ...stalled,
    },
    (job) => lanes.run(job.data.webhookId, () => deliver(deliverOptions, job.data)),
  );
  await requeueRetranscriptions(pool).catch((error: Error) =>
    log.warn({ err: error }, 'retranscriptions without a job are not looked for'),
  );
  const relay = new OutboxRelay({
    pool,
    log,
    metrics,
    ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
    enqueue: async (specs) => {
      await recordings.add(specs.filter((spec) => spec.queue === QUEUES.recording));
      await fanOuts.add(await fanOutsAskedFor(pool, specs));
      await retranscriptions.add(specs.filter((spec) => spec.queue === QUEUES.retranscription));
    },
  });
  return {
    async drain() {
      await relay.close();
      stopping.abort();
      await jobs.close(DRAIN_LIMIT_MS);
      commands.close();
    },
  };
}
