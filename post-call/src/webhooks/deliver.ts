import { eventOf, type EventRow, type Log, type Pool } from '@earshot/platform';
import type { PostCallMetrics } from '../metrics.ts';
import type { DeliveryJob } from '../queues/jobs.ts';
import { post, type PostLimits, type PostResult } from './post.ts';
import { pauseBefore } from './schedule.ts';
import { signatureOf } from './sign.ts';

const GONE = 410;
/** Statuses whose Retry-After counts. */
const BUSY: readonly number[] = [429, 503];

export interface DeliverOptions {
  readonly pool: Pool;
  readonly log: Log;
  readonly metrics: PostCallMetrics;
  readonly scheduleMs: readonly number[];
  readonly limits: PostLimits;
  /** Webhooks may go to loopback. */
  readonly allowLoopback: boolean;
  /** Wall clock, ms. */
  readonly now: () => number;
  /** 0..1 */
  readonly random: () => number;
}

/** Tells the queue to run the job again after a pause. Its message is a constant. */
export class RetryLater extends Error {
  readonly pauseMs: number;
  constructor(pauseMs: number) {
    super('delivery is tried again');
    this.name = 'RetryLater';
    this.pauseMs = pauseMs;
  }
}

interface Row extends EventRow {
  readonly state: string;
  readonly tries: number;
  readonly url: string;
  readonly secret: string;
  readonly active: boolean;
}

/**
 * One try of one delivery. Its state and every attempt are in deliveries; a delivery that is delivered is left alone,
 * so a job that runs again after a crash sends again only what nobody recorded as sent.
 * @throws RetryLater when it is to be tried again
 */
export async function deliver(options: DeliverOptions, job: DeliveryJob): Promise<void> {
  const row = await load(options.pool, job.deliveryId);
  // Deleted with its webhook or its call, or done by an earlier run of this job.
  if (row === null || row.state !== 'pending') return;
  if (!row.active && !job.requested) {
    await finish(options.pool, job.deliveryId, 'failed');
    options.metrics.deliveries.inc({ outcome: 'failed' });
    return;
  }
  const startedMs = options.now();
  const result = await send(options, job.deliveryId, row, startedMs);
  const durationMs = Math.max(0, Math.round(options.now() - startedMs));
  options.metrics.deliverySeconds.observe(durationMs / 1000);
  const verdict = judge(options, result, row.tries - job.earlierAttempts + 1);
  const attempt = {
    at: new Date(startedMs).toISOString(),
    status: result.kind === 'answered' ? result.status : null,
    error: result.kind === 'answered' ? null : result.error,
    durationMs,
  };
  const nextAt = verdict.kind === 'retry' ? new Date(options.now() + verdict.pauseMs) : null;
  await record(options.pool, job.deliveryId, attempt, STATE[verdict.kind], nextAt);
  options.metrics.deliveries.inc({ outcome: verdict.kind });
  const { webhookId, deliveryId } = job;
  options.log.debug(
    { webhookId, deliveryId, outcome: verdict.kind, status: attempt.status },
    'webhook tried',
  );
  if (verdict.kind === 'gone') {
    await options.pool.query('update webhooks set active = false where id = $1', [job.webhookId]);
    options.log.warn({ webhookId }, 'webhook answered 410 Gone and is disabled');
  }
  if (verdict.kind === 'retry') throw new RetryLater(verdict.pauseMs);
}

type Verdict =
  | { readonly kind: 'delivered' | 'failed' | 'gone' | 'refused' }
  | { readonly kind: 'retry'; readonly pauseMs: number };

const STATE = {
  delivered: 'delivered',
  retry: 'pending',
  failed: 'failed',
  gone: 'failed',
  refused: 'failed',
} as const;

function judge(options: DeliverOptions, result: PostResult, tries: number): Verdict {
  if (result.kind === 'refused') return { kind: 'refused' };
  if (result.kind === 'answered') {
    if (result.status >= 200 && result.status < 300) return { kind: 'delivered' };
    if (result.status === GONE) return { kind: 'gone' };
  }
  const asked = result.kind === 'answered' && BUSY.includes(result.status) ? result.retryAfterMs : null;
  const pauseMs = pauseBefore(options.scheduleMs, tries, options.random(), asked);
  return pauseMs === null ? { kind: 'failed' } : { kind: 'retry', pauseMs };
}

function send(options: DeliverOptions, id: string, row: Row, nowMs: number): Promise<PostResult> {
  const body = JSON.stringify(eventOf(row));
  const timestampS = Math.floor(nowMs / 1000);
  return post({
    url: row.url,
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'Earshot-Webhooks/1',
      'webhook-id': id,
      'webhook-timestamp': String(timestampS),
      'webhook-signature': signatureOf(row.secret, id, timestampS, body),
    },
    allowLoopback: options.allowLoopback,
    limits: options.limits,
  });
}

async function load(pool: Pool, deliveryId: string): Promise<Row | null> {
  const { rows } = await pool.query<Row>(
    `select d.state, jsonb_array_length(d.attempts) as tries, w.url, w.secret, w.active,
            e.epoch, e.seq, e.call_id, e.call_seq, e.type, e.timestamp, e.data
     from deliveries d join webhooks w on w.id = d.webhook_id join events e on e.seq = d.seq
     where d.id = $1`,
    [deliveryId],
  );
  return rows[0] ?? null;
}

async function record(
  pool: Pool,
  deliveryId: string,
  attempt: Readonly<Record<string, unknown>>,
  state: 'pending' | 'delivered' | 'failed',
  nextAt: Date | null,
): Promise<void> {
  await pool.query(
    'update deliveries set attempts = attempts || $2::jsonb, state = $3, next_attempt_at = $4 where id = $1',
    [deliveryId, JSON.stringify([attempt]), state, nextAt],
  );
}

async function finish(pool: Pool, deliveryId: string, state: 'failed'): Promise<void> {
  await pool.query('update deliveries set state = $2, next_attempt_at = null where id = $1', [
    deliveryId,
    state,
  ]);
}
