import { deliveryIdOf } from '@earshot/contracts';
import type { Pool } from '@earshot/platform';
import { type DeliveryJob, deliveryJobId, type FanOutJob } from '../queues/jobs.ts';
import type { JobsOfQueue } from '../queues/queues.ts';

/** The types of event that an active webhook asks for: others need no job. */
export async function eventsAskedFor(pool: Pool): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ event: string }>(
    'select distinct unnest(events) as event from webhooks where active',
  );
  return new Set(rows.map(({ event }) => event));
}

/**
 * One event to every active webhook that asks for its type, or to the one named: a row in deliveries and a job each.
 * Run twice it makes the same rows and the same jobs.
 */
export async function fanOut(
  pool: Pool,
  deliveries: JobsOfQueue<DeliveryJob>,
  job: FanOutJob,
): Promise<void> {
  const { seq, event, callId, webhookId, request } = job;
  const { rows: webhooks } = await pool.query<{ id: string }>(
    webhookId === null
      ? 'select id from webhooks where active and $1 = any (events)'
      : 'select id from webhooks where id = $1',
    [webhookId ?? event],
  );
  if (webhooks.length === 0) return;
  const rows = webhooks.map(({ id }) => ({ id: deliveryIdOf(id, seq), webhook: id }));
  // A requested delivery of an event that was sent before takes up the same row: the receiver sees the same id.
  const { rows: written } = await pool.query<{ id: string; webhook_id: string; tries: number }>(
    `insert into deliveries (id, webhook_id, seq, event, call_id, next_attempt_at)
     select r.id, r.webhook, $2, $3, $4, now() from jsonb_to_recordset($1::jsonb) as r (id text, webhook text)
     on conflict (id) do update set
       state = case when $5 then 'pending' else deliveries.state end,
       next_attempt_at = case when $5 then now() else deliveries.next_attempt_at end
     returning id, webhook_id, jsonb_array_length(attempts) as tries`,
    [JSON.stringify(rows), seq, event, callId, request !== null],
  );
  await deliveries.add(
    written.map((row) => ({
      id: deliveryJobId(row.webhook_id, seq, request),
      data: {
        deliveryId: row.id,
        webhookId: row.webhook_id,
        seq,
        earlierAttempts: request === null ? 0 : row.tries,
        requested: request !== null,
      },
    })),
  );
}
