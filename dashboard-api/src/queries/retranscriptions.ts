import { catalogue, type ErrorCode, PG_CHANNELS, type RetranscriptionView } from '@earshot/contracts';
import type { Database } from './database.ts';
import { decodeCursor, keyTime, type Page, pageOf } from './page.ts';

interface Row {
  readonly key_at: string;
  readonly id: string;
  readonly call_id: string;
  readonly model: string | null;
  readonly vocabulary: string[];
  readonly state: RetranscriptionView['state'];
  readonly error: { readonly code: string; readonly detail: string } | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly used_model: string | null;
  readonly previous_revision: number | null;
  readonly revision: number | null;
  readonly words_changed: number | null;
  readonly word_error_rate: number | null;
}

interface Open {
  readonly id: string;
  readonly state: 'queued' | 'running';
}

const SELECT = `select r.id, ${keyTime('r.created_at')} as key_at, r.call_id, r.model, r.vocabulary, r.state, r.error,
    r.created_at, r.started_at, r.finished_at, v.model as used_model, v.revision as previous_revision,
    v.next_revision as revision, v.words_changed, v.word_error_rate
  from retranscriptions r left join revisions v on v.retranscription = r.id`;

/** What must be true of a call before its recording can be recognised again. Null: no such call. */
export async function findForRetranscription(
  db: Database,
  callId: string,
): Promise<{ complete: boolean; recorded: boolean } | null> {
  return db.first<{ complete: boolean; recorded: boolean }>(
    'select complete, recording is not null as recorded from calls where id = $1',
    [callId],
  );
}

/** First half of the advisory lock's key: the second is of the call. */
const CREATING = 7316003;

/**
 * The row and the outbox row that makes the job of it, unless one of the same call is queued or running: a call's recording is
 * recognised once at a time. Whoever asks for the same call meanwhile waits, so that of two at once one is refused.
 * @returns null when it was made; else the one that is in the way
 */
export async function createRetranscription(
  db: Database,
  asked: { id: string; callId: string; model: string | null; vocabulary: readonly string[] },
): Promise<Open | null> {
  return db.transaction(async (client) => {
    await client.query('select pg_advisory_xact_lock($1, hashtext($2))', [CREATING, asked.callId]);
    // A statement of its own: it sees what was committed while the lock was waited for.
    const { rows } = await client.query<Open>(
      `select id, state from retranscriptions where call_id = $1 and state in ('queued', 'running')
       order by created_at limit 1`,
      [asked.callId],
    );
    if (rows[0] !== undefined) return rows[0];
    await client.query(
      `with made as (insert into retranscriptions (id, call_id, model, vocabulary) values ($1, $2, $3, $4::jsonb) returning id, call_id),
     queued as (insert into outbox (payload)
       select jsonb_build_object('kind', 'retranscription', 'callId', call_id, 'retranscription', id) from made)
     select pg_notify('${PG_CHANNELS.outbox}', '')`,
      [asked.id, asked.callId, asked.model, JSON.stringify(asked.vocabulary)],
    );
    return null;
  });
}

export async function findRetranscription(
  db: Database,
  callId: string,
  id: string,
): Promise<RetranscriptionView | null> {
  const row = await db.first<Row>(`${SELECT} where r.call_id = $1 and r.id = $2`, [callId, id]);
  return row === null ? null : viewOf(row);
}

/** Newest first. */
export async function listRetranscriptions(
  db: Database,
  callId: string,
  page: { readonly limit: number; readonly cursor?: string },
): Promise<Page<RetranscriptionView>> {
  const key = page.cursor === undefined ? null : decodeCursor(page.cursor);
  const rows = await db.rows<Row>(
    `${SELECT} where r.call_id = $1 and ($2::timestamptz is null or (r.created_at, r.id) < ($2, $3))
     order by r.created_at desc, r.id desc limit $4`,
    [callId, key?.at ?? null, key?.id ?? null, page.limit + 1],
  );
  return pageOf(rows, page.limit, viewOf);
}

const viewOf = (row: Row): RetranscriptionView => ({
  id: row.id,
  callId: row.call_id,
  state: row.state,
  model: row.model,
  vocabulary: [...row.vocabulary],
  createdAt: row.created_at.toISOString(),
  startedAt: row.started_at?.toISOString() ?? null,
  finishedAt: row.finished_at?.toISOString() ?? null,
  usedModel: row.used_model,
  previousRevision: row.previous_revision,
  revision: row.revision,
  wordsChanged: row.words_changed,
  wordErrorRateBetween: row.word_error_rate,
  error: row.error === null ? null : { ...row.error, action: actionOf(row.error.code) },
});

const actionOf = (code: string): string =>
  Object.hasOwn(catalogue, code) ? catalogue[code as ErrorCode].action : catalogue.INTERNAL.action;
