import type { EventView } from '@earshot/contracts';
import { eventOf, type EventRow } from '@earshot/platform';
import type { Database } from './database.ts';

export interface EventRange {
  /** Exclusive. */
  readonly after: number;
  /** Inclusive. */
  readonly upTo?: number;
  readonly callId?: string | null;
  readonly limit: number;
}

/**
 * Events in seq order. Whatever is committed later has a higher seq (ARCHITECTURE.md, rule 5), so reading on from
 * the last seq seen never skips one.
 */
export async function listEvents(db: Database, range: EventRange): Promise<EventView[]> {
  const rows = await db.rows<EventRow>(
    `select epoch, seq, call_id, call_seq, type, timestamp, data from events
     where seq > $1 and ($2::bigint is null or seq <= $2) and ($3::text is null or call_id = $3)
     order by seq limit $4`,
    [range.after, range.upTo ?? null, range.callId ?? null, range.limit],
  );
  return rows.map(eventOf);
}

export interface LogState {
  readonly epoch: number;
  readonly seq: number;
}

export async function readLogState(db: Database): Promise<LogState> {
  const row = await db.first<LogState>('select epoch, seq from log_state');
  return row ?? { epoch: 1, seq: 0 };
}
