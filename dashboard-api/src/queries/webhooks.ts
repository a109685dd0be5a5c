import { type DeliveryView, PG_CHANNELS, type WebhookView } from '@earshot/contracts';
import type { Database } from './database.ts';
import { decodeCursor, keyTime, type Page, pageOf } from './page.ts';

interface WebhookRow {
  readonly key_at: string;
  readonly id: string;
  readonly url: string;
  readonly events: string[];
  readonly active: boolean;
  readonly created_at: Date;
}

export interface NewWebhook {
  readonly id: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly secret: string;
  readonly active: boolean;
}

export interface WebhookChange {
  readonly url?: string;
  readonly events?: readonly string[];
  readonly active?: boolean;
}

export interface PageRequest {
  readonly limit: number;
  readonly cursor?: string;
}

const COLUMNS = `id, ${keyTime('created_at')} as key_at, url, events, active, created_at`;

const viewOf = (row: WebhookRow): WebhookView => ({
  id: row.id,
  url: row.url,
  events: row.events,
  active: row.active,
  createdAt: row.created_at.toISOString(),
});

const viewOrNull = (row: WebhookRow | null): WebhookView | null => (row === null ? null : viewOf(row));

export async function createWebhook(db: Database, webhook: NewWebhook): Promise<WebhookView> {
  const rows = await db.rows<WebhookRow>(
    `insert into webhooks (id, url, events, secret, active) values ($1, $2, $3, $4, $5) returning ${COLUMNS}`,
    [webhook.id, webhook.url, webhook.events, webhook.secret, webhook.active],
  );
  return viewOf(rows[0]!);
}

export async function listWebhooks(db: Database, page: PageRequest): Promise<Page<WebhookView>> {
  const key = page.cursor === undefined ? null : decodeCursor(page.cursor);
  const rows = await db.rows<WebhookRow>(
    `select ${COLUMNS} from webhooks where $1::timestamptz is null or (created_at, id) < ($1, $2)
     order by created_at desc, id desc limit $3`,
    [key?.at ?? null, key?.id ?? null, page.limit + 1],
  );
  return pageOf(rows, page.limit, viewOf);
}

export async function findWebhook(db: Database, id: string): Promise<WebhookView | null> {
  return viewOrNull(await db.first<WebhookRow>(`select ${COLUMNS} from webhooks where id = $1`, [id]));
}

export async function changeWebhook(
  db: Database,
  id: string,
  change: WebhookChange,
): Promise<WebhookView | null> {
  return viewOrNull(
    await db.first<WebhookRow>(
      `update webhooks set url = coalesce($2, url), events = coalesce($3, events), active = coalesce($4, active)
       where id = $1 returning ${COLUMNS}`,
      [id, change.url ?? null, change.events ?? null, change.active ?? null],
    ),
  );
}

export async function deleteWebhook(db: Database, id: string): Promise<boolean> {
  return (await db.rows('delete from webhooks where id = $1 returning id', [id])).length > 0;
}

interface DeliveryRow {
  readonly key_at: string;
  readonly id: string;
  readonly webhook_id: string;
  readonly seq: number;
  readonly event: string;
  readonly call_id: string;
  readonly state: DeliveryView['state'];
  readonly attempts: DeliveryView['attempts'];
  readonly next_attempt_at: Date | null;
}

/** Newest first. */
export async function listDeliveries(
  db: Database,
  webhookId: string,
  page: PageRequest,
): Promise<Page<DeliveryView>> {
  const key = page.cursor === undefined ? null : decodeCursor(page.cursor);
  const rows = await db.rows<DeliveryRow>(
    `select id, ${keyTime('created_at')} as key_at, webhook_id, seq, event, call_id, state, attempts, next_attempt_at
     from deliveries where webhook_id = $1 and ($2::timestamptz is null or (created_at, id) < ($2, $3))
     order by created_at desc, id desc limit $4`,
    [webhookId, key?.at ?? null, key?.id ?? null, page.limit + 1],
  );
  return pageOf(rows, page.limit, (row) => ({
    id: row.id,
    webhookId: row.webhook_id,
    event: row.event,
    callId: row.call_id,
    seq: row.seq,
    state: row.state,
    attempts: row.attempts,
    nextAttemptAt: row.next_attempt_at?.toISOString() ?? null,
  }));
}

/** What POST /test sends: the newest event of a type the webhook asks for, or of any type. */
export interface QueuedEvent {
  readonly seq: number;
  readonly event: string;
  readonly call_id: string;
}

const OUTBOX_ROW = `jsonb_build_object('kind', 'webhook', 'seq', seq, 'event', type, 'callId', call_id, 'webhookId', $1::text)`;

/** Puts one event into the outbox for one webhook. Null when nothing has been logged yet. */
export async function queueNewestEvent(db: Database, webhookId: string): Promise<QueuedEvent | null> {
  return db.first<QueuedEvent>(
    `with newest as (
       select e.seq, e.type, e.call_id from events e join webhooks w on w.id = $1
       order by (e.type = any (w.events)) desc, e.seq desc limit 1),
     queued as (insert into outbox (payload) select ${OUTBOX_ROW} from newest)
     select seq, type as event, call_id, pg_notify('${PG_CHANNELS.outbox}', '') from newest`,
    [webhookId],
  );
}

export interface QueuedReplay {
  readonly queued: number;
  /** The last seq that was queued, or null when there was nothing. */
  readonly through: number | null;
  readonly more: boolean;
}

/** Puts the events after a seq that the webhook asks for into the outbox, at most limit of them. */
export async function queueReplay(
  db: Database,
  webhookId: string,
  after: number,
  limit: number,
): Promise<QueuedReplay> {
  const row = await db.first<{ queued: number; through: number | null; more: boolean }>(
    `with wanted as (
       select e.seq, e.type, e.call_id from events e join webhooks w on w.id = $1
       where e.seq > $2 and e.type = any (w.events) order by e.seq limit $3 + 1),
     taken as (select * from wanted order by seq limit $3),
     queued as (insert into outbox (payload) select ${OUTBOX_ROW} from taken order by seq)
     select (select count(*)::int from taken) as queued, (select max(seq) from taken) as through,
       (select count(*) from wanted) > $3 as more, pg_notify('${PG_CHANNELS.outbox}', '')`,
    [webhookId, after, limit],
  );
  return { queued: row?.queued ?? 0, through: row?.through ?? null, more: row?.more ?? false };
}
