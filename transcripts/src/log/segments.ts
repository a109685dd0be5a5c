import type { CallId, SegmentView } from '@earshot/contracts';
import { type PoolClient, segmentOf, type SegmentRow } from '@earshot/platform';
import type { LogItem } from './items.ts';
import type { Found } from './plan.ts';
import type { PlannedRevision, PlannedSegment } from './revise.ts';
import { jsonParameter } from './rows.ts';

const COLUMNS =
  'id, call_id, channel, idx, from_tick, to_tick, start_tick, end_tick, role, text, spoken, words, endpoint';

export async function writeSegments(client: PoolClient, segments: readonly PlannedSegment[]): Promise<void> {
  if (segments.length === 0) return;
  await client.query(
    `insert into segments (${COLUMNS}) select ${COLUMNS}
     from jsonb_to_recordset($1::jsonb) as r (
       id text, call_id text, channel text, idx integer, from_tick bigint, to_tick bigint, start_tick bigint,
       end_tick bigint, role text, text text, spoken text, words jsonb, endpoint text)
     on conflict do nothing`,
    [
      jsonParameter(
        segments.map(({ callId, channel, fromTick, toTick, startTick, endTick, view }) => ({
          id: view.id,
          call_id: callId,
          channel,
          idx: view.channel,
          from_tick: fromTick,
          to_tick: toTick,
          start_tick: startTick,
          end_tick: endTick,
          role: view.role,
          text: view.text,
          spoken: view.spoken,
          words: view.words,
          endpoint: view.endpoint ?? null,
        })),
      ),
    ],
  );
}

/** Puts each transcript that is replaced away, and what replaces it in its place. */
export async function writeRevisions(
  client: PoolClient,
  revisions: readonly PlannedRevision[],
  now: Date,
): Promise<void> {
  for (const { callId, before, segments, facts } of revisions) {
    await client.query(
      `insert into revisions (call_id, revision, segments, replaced_at, next_revision, retranscription, model, vocabulary,
         words_changed, word_error_rate)
       values ($1, $2, $3::jsonb, $4, $5, $6, $7, $8::jsonb, $9, $10)`,
      [
        callId,
        facts.previousRevision,
        jsonParameter(before),
        now,
        facts.revision,
        facts.retranscription,
        facts.model,
        jsonParameter(facts.vocabulary),
        facts.wordsChanged,
        facts.wordErrorRateBetween,
      ],
    );
    await client.query('delete from segments where call_id = $1', [callId]);
    await writeSegments(client, segments);
  }
}

/** What the planner must know of calls that are revised. */
export async function findTranscripts(
  client: PoolClient,
  items: readonly LogItem[],
): Promise<Pick<Found, 'transcripts' | 'retranscriptions'>> {
  const revised = items.filter((item) => item.kind === 'revised');
  if (revised.length === 0) return { transcripts: new Map(), retranscriptions: new Set() };
  const known = await client.query<{ retranscription: string }>(
    'select retranscription from revisions where retranscription = any($1)',
    [revised.map((item) => item.retranscription)],
  );
  const { rows } = await client.query<SegmentRow & { call_id: CallId }>(
    `select id, call_id, idx, role, start_tick, end_tick, text, spoken, words, endpoint from segments
     where call_id = any($1) order by start_tick, idx, from_tick`,
    [[...new Set(revised.map((item) => item.callId))]],
  );
  const transcripts = new Map<CallId, SegmentView[]>();
  for (const row of rows) {
    const segments = transcripts.get(row.call_id) ?? [];
    transcripts.set(row.call_id, segments);
    segments.push(segmentOf(row));
  }
  return { transcripts, retranscriptions: new Set(known.rows.map((row) => row.retranscription)) };
}
