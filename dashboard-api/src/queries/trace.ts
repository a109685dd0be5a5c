import type { TraceView } from '@earshot/contracts';
import { type TraceRow, traceViewOf } from '../formats/trace.ts';
import type { Database } from './database.ts';

/** The call's SIP messages. Null: no such call. A call from before traces were kept has none. */
export async function findTrace(db: Database, callId: string): Promise<TraceView | null> {
  const call = await db.first<{ started_at: Date }>('select started_at from calls where id = $1', [callId]);
  if (call === null) return null;
  const rows = await db.rows<TraceRow>(
    `select at_us as "atUs", direction, transport, local, remote, text, omitted
     from sip_messages where call_id = $1 order by at_us`,
    [callId],
  );
  return traceViewOf(callId, call.started_at.getTime(), rows);
}
