import { type CallId, type OutboxRow, PG_CHANNELS, type SegmentId, segmentIdOf } from '@earshot/contracts';
import type { Pool, PoolClient } from '@earshot/platform';
import type { ChannelRow, LogItem } from './items.ts';
import { type Found, isApart, type Plan, type PlannedEvent, planBatch } from './plan.ts';
import { writeLedger } from './ledger.ts';
import { writeRoles } from './roles.ts';
import { findTranscripts, writeRevisions, writeSegments } from './segments.ts';
import { writeTraces } from './trace.ts';
import { CALL_COLUMNS, type CallRow, jsonParameter, recordOfRow, rowOfRecord } from './rows.ts';

/** Key of the advisory lock that makes commit order seq order (ARCHITECTURE.md, rule 5). */
const LOG_LOCK = 7316002;
/** A server that answers nothing for so long counts as down; the connection is thrown away. */
const STUCK_MS = 60_000;

export interface Committed extends Plan {
  /** Of the last event, or null when the batch made none. */
  readonly seq: number | null;
}

/**
 * Writes a batch in one transaction of multi-row statements. Nothing of it is known to be durable before this
 * resolves; when it rejects, the same batch may be given again.
 */
export async function writeBatch(
  pool: Pool,
  items: readonly LogItem[],
  channels: readonly ChannelRow[],
  now: Date,
): Promise<Committed> {
  const client = await pool.connect();
  let failure: Error | undefined;
  let released = false;
  const release = (error?: Error): void => {
    if (released) return;
    released = true;
    client.release(error);
  };
  const stuck = setTimeout(() => release(new Error('the database does not answer')), STUCK_MS);
  // While a client is checked out nobody else listens: a connection that dies between two queries would throw.
  const onError = (error: Error): void => void (failure = error);
  client.on('error', onError);
  try {
    await client.query(`begin; select pg_advisory_xact_lock(${LOG_LOCK})`);
    const found = await find(client, items);
    const plan = planBatch(items, found);
    await writeCalls(client, plan);
    await writeChannels(client, channels);
    await writeLedger(client, plan.ledger);
    await writeSegments(client, plan.segments);
    await writeRevisions(client, plan.revisions, now);
    await writeRoles(client, plan.roles);
    await writeTraces(client, plan.traces);
    const seq = await writeEvents(client, plan, now);
    await client.query('commit');
    return { ...plan, seq };
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    clearTimeout(stuck);
    // A broken connection keeps its listener: it may report once more while it closes.
    if (!released && failure === undefined) client.off('error', onError);
    // Closing the connection rolls back, whatever state it is in.
    release(failure);
  }
}

const NOTHING: Found = {
  calls: new Map(),
  segments: new Set(),
  webhooksWantSegments: false,
  transcripts: new Map(),
  retranscriptions: new Set(),
};

async function find(client: PoolClient, items: readonly LogItem[]): Promise<Found> {
  // Parts of ledgers and traces change no call: it need not be found for them.
  const callIds = new Set<CallId>(items.flatMap((item) => (isApart(item) ? [] : [item.callId])));
  if (callIds.size === 0) return NOTHING;
  const calls = await client.query<CallRow>(`select ${CALL_COLUMNS} from calls where id = any($1)`, [
    [...callIds],
  ]);
  const segmentIds = items.flatMap((item) =>
    item.kind === 'segment' ? [segmentIdOf(item.channel, item.fromTick)] : [],
  );
  const found = {
    ...NOTHING,
    calls: new Map(calls.rows.map((row) => [row.id, recordOfRow(row)])),
    ...(await findTranscripts(client, items)),
  };
  if (segmentIds.length === 0) return found;
  const segments = await client.query<{ id: SegmentId }>('select id from segments where id = any($1)', [
    segmentIds,
  ]);
  const wanted = await client.query<{ wanted: boolean }>(
    `select exists (select 1 from webhooks where active and 'segment.final' = any (events)) as wanted`,
  );
  return {
    ...found,
    segments: new Set(segments.rows.map((row) => row.id)),
    webhooksWantSegments: wanted.rows[0]?.wanted ?? false,
  };
}

async function writeCalls(client: PoolClient, plan: Plan): Promise<void> {
  if (plan.calls.length === 0) return;
  await client.query(
    `insert into calls (${CALL_COLUMNS})
     select ${CALL_COLUMNS} from jsonb_to_recordset($1::jsonb) as r (
       id text, started_at timestamptz, ended_at timestamptz, end_reason text, dialect text, sip jsonb,
       external_ids jsonb, channels jsonb, totals jsonb, worker integer, complete boolean, revision integer,
       call_seq integer, segment_count integer, word_count integer, recording jsonb, media_missing jsonb, disk jsonb,
       paused boolean, recognition text, corrections jsonb)
     on conflict (id) do update set
       ended_at = excluded.ended_at, end_reason = excluded.end_reason, dialect = excluded.dialect,
       sip = excluded.sip, external_ids = excluded.external_ids, channels = excluded.channels,
       totals = excluded.totals, worker = excluded.worker, complete = excluded.complete,
       revision = excluded.revision, call_seq = excluded.call_seq, segment_count = excluded.segment_count,
       word_count = excluded.word_count, recording = excluded.recording, media_missing = excluded.media_missing,
       disk = excluded.disk, paused = excluded.paused, recognition = excluded.recognition,
       corrections = excluded.corrections`,
    [jsonParameter(plan.calls.map(rowOfRecord))],
  );
}

/** A call that was deleted takes its channels' fences with it: they are passed over. */
async function writeChannels(client: PoolClient, channels: readonly ChannelRow[]): Promise<void> {
  if (channels.length === 0) return;
  await client.query(
    `insert into channels (channel, call_id, idx, attempt, committed_tick, end_tick)
     select channel, "callId", index, attempt, "committedTick", "endTick"
     from jsonb_to_recordset($1::jsonb) as r (
       channel text, "callId" text, index integer, attempt integer, "committedTick" bigint, "endTick" bigint)
     where exists (select 1 from calls where calls.id = "callId")
     on conflict (channel) do update set
       attempt = greatest(channels.attempt, excluded.attempt),
       committed_tick = greatest(channels.committed_tick, excluded.committed_tick),
       end_tick = coalesce(excluded.end_tick, channels.end_tick)`,
    [jsonParameter(channels)],
  );
}

async function writeEvents(client: PoolClient, plan: Plan, now: Date): Promise<number | null> {
  const count = plan.events.length;
  if (count === 0) return null;
  const state = await client.query<{ seq: number; epoch: number }>(
    'update log_state set seq = seq + $1 returning seq, epoch',
    [count],
  );
  const { seq: last, epoch } = state.rows[0] ?? { seq: count, epoch: 1 };
  const seqOf = (index: number): number => last - count + 1 + index;
  await client.query(
    `insert into events (seq, epoch, call_id, call_seq, type, timestamp, data)
     select seq, $2, "callId", "callSeq", type, $3, data
     from jsonb_to_recordset($1::jsonb) as r (seq bigint, "callId" text, "callSeq" integer, type text, data jsonb)`,
    [
      jsonParameter(
        plan.events.map(({ callId, callSeq, type, data }, i) => ({
          seq: seqOf(i),
          callId,
          callSeq,
          type,
          data,
        })),
      ),
      epoch,
      now,
    ],
  );
  await writeOutbox(client, [
    ...plan.events.flatMap((event, i) => webhookRowsOf(event, seqOf(i))),
    ...plan.recordings,
  ]);
  return last;
}

const webhookRowsOf = (event: PlannedEvent, seq: number): OutboxRow[] =>
  event.toWebhooks ? [{ kind: 'webhook', seq, event: event.type, callId: event.callId }] : [];

async function writeOutbox(client: PoolClient, rows: readonly OutboxRow[]): Promise<void> {
  if (rows.length === 0) return;
  await client.query('insert into outbox (payload) select value from jsonb_array_elements($1::jsonb)', [
    jsonParameter(rows),
  ]);
  await client.query('select pg_notify($1, $2)', [PG_CHANNELS.outbox, '']);
}
