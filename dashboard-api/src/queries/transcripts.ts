import type { GapView, SegmentView, TranscriptView } from '@earshot/contracts';
import { segmentOf, type SegmentRow } from '@earshot/platform';
import { gapsOf } from '../formats/ledger.ts';
import type { Database } from './database.ts';
import { findLedger } from './ledger.ts';

interface TranscriptRow {
  readonly id: string;
  readonly ended: boolean;
  readonly revision: number;
  readonly complete: boolean;
  readonly segments: readonly SegmentRow[];
}

/** The finals of a call in call order. One statement, so that the revision is that of these segments. */
export async function findTranscript(db: Database, callId: string): Promise<TranscriptView | null> {
  const row = await db.first<TranscriptRow>(
    `select id, ended_at is not null as ended, revision, complete,
       coalesce((select jsonb_agg(jsonb_build_object('id', s.id, 'idx', s.idx, 'role', s.role,
           'start_tick', s.start_tick, 'end_tick', s.end_tick, 'text', s.text, 'spoken', s.spoken, 'words', s.words,
           'endpoint', s.endpoint)
           order by s.start_tick, s.idx, s.from_tick)
         from segments s where s.call_id = calls.id), '[]'::jsonb) as segments
     from calls where id = $1`,
    [callId],
  );
  if (row === null) return null;
  return {
    callId: row.id,
    state: row.ended ? 'ended' : 'live',
    revision: row.revision,
    complete: row.complete,
    segments: row.segments.map(segmentOf),
    gaps: await findGaps(db, callId),
  };
}

/** Where channels have no audio, in call order. */
async function findGaps(db: Database, callId: string): Promise<GapView[]> {
  // What became of the time between the words does not depend on them.
  const ledger = await findLedger(db, callId, undefined, []);
  return ledger === null ? [] : gapsOf(ledger);
}

/** A transcript that was replaced. Null when there is none of that revision. */
export async function findReplacedTranscript(
  db: Database,
  callId: string,
  revision: number,
): Promise<TranscriptView | null> {
  const row = await db.first<{ segments: SegmentView[] }>(
    'select segments from revisions where call_id = $1 and revision = $2',
    [callId, revision],
  );
  // Only what is complete is replaced.
  if (row === null) return null;
  const { segments } = row;
  return { callId, state: 'ended', revision, complete: true, segments, gaps: await findGaps(db, callId) };
}
