import type { ChannelInfo, ChannelTotals, DiskRecord, RecognitionState } from '@earshot/contracts';
import type { CallEvidence } from '../diagnosis/diagnosis.ts';
import { hasLedger, ledgerPageOf } from '../formats/ledger.ts';
import type { Database } from './database.ts';
import { findLedger } from './ledger.ts';
import { findTrace } from './trace.ts';

interface Row {
  readonly ended: boolean;
  readonly end_reason: string | null;
  readonly channels: readonly ChannelInfo[];
  readonly totals: readonly ChannelTotals[] | null;
  readonly disk: DiskRecord;
  readonly recognition: RecognitionState;
  readonly segments: Readonly<Record<string, number>>;
}

/** Of a long call the longest stretches tell enough. */
const MIN_SPAN_TICKS = 800;
const MOST_SPANS = 100_000;

/** What may explain a call's transcript. Null: no such call. */
export async function findEvidence(db: Database, callId: string): Promise<CallEvidence | null> {
  const row = await db.first<Row>(
    `select ended_at is not null as ended, end_reason, channels, totals, disk, recognition,
       coalesce((select jsonb_object_agg(idx, n) from
         (select idx, count(*)::integer as n from segments where call_id = $1 group by idx) s), '{}') as segments
     from calls where id = $1`,
    [callId],
  );
  if (row === null) return null;
  const [ledger, trace] = [await findLedger(db, callId, undefined, []), await findTrace(db, callId)];
  const views =
    ledger === null || !hasLedger(ledger)
      ? []
      : ledgerPageOf(ledger, {
          fromTick: 0,
          toTick: Number.MAX_SAFE_INTEGER,
          minTicks: MIN_SPAN_TICKS,
          limit: MOST_SPANS,
          afterTick: 0,
        }).view.channels;
  return {
    callId,
    state: row.ended ? 'ended' : 'live',
    endReason: row.end_reason,
    disk: row.disk,
    recognition: row.recognition,
    trace: trace?.items ?? [],
    channels: row.channels.map(({ index, label, channel }) => ({
      index,
      label,
      segments: row.segments[index] ?? 0,
      ledger: views.find((view) => view.channel === index) ?? null,
      totals: row.totals?.find((total) => total.channel === channel) ?? null,
    })),
  };
}
