import type { CallId, ChannelId, ChannelInfo, ChannelTotals, RecognitionState } from '@earshot/contracts';
import type { Pool } from '@earshot/platform';
import type { ChannelCorrection } from '../assemble/corrections.ts';
import { CallDocument } from '../document/call.ts';
import { ChannelDocument } from '../document/channel.ts';

interface Row {
  id: CallId;
  channels: ChannelInfo[];
  ended_at: Date | null;
  totals: ChannelTotals[] | null;
  complete: boolean;
  paused: boolean;
  recognition: RecognitionState;
  corrections: ChannelCorrection[];
  fences:
    | {
        channel: ChannelId;
        idx: number;
        attempt: number;
        committed_tick: number;
        end_tick: number | null;
        ledger_tick: number;
      }[]
    | null;
}

const SELECT = `
  select c.id, c.channels, c.ended_at, c.totals, c.complete, c.paused, c.recognition, c.corrections,
    jsonb_agg(to_jsonb(f)) filter (where f.channel is not null) as fences
  from calls c left join channels f on f.call_id = c.id`;

/** The documents of all calls that are live or not complete. @param nowMs monotonic, counts as the end of those that ended */
export async function loadUnfinished(pool: Pool, nowMs: number): Promise<CallDocument[]> {
  const { rows } = await pool.query<Row>(`${SELECT} where not c.complete group by c.id`);
  return rows.map((row) => documentOf(row, nowMs));
}

/** The documents of those calls that the log has. */
export async function loadCalls(
  pool: Pool,
  callIds: readonly CallId[],
  nowMs: number,
): Promise<CallDocument[]> {
  const { rows } = await pool.query<Row>(`${SELECT} where c.id = any($1) group by c.id`, [callIds]);
  return rows.map((row) => documentOf(row, nowMs));
}

function documentOf(row: Row, nowMs: number): CallDocument {
  const call = new CallDocument(row.id, row.corrections);
  for (const fence of row.fences ?? []) {
    call.channels.set(
      fence.idx,
      new ChannelDocument(fence.channel, fence.idx, {
        attempt: fence.attempt,
        committedTick: fence.committed_tick,
        endTick: fence.end_tick,
        ledgerTick: fence.ledger_tick,
      }),
    );
  }
  call.describe({ channels: row.channels, paused: row.paused });
  if (row.ended_at !== null) {
    // The report of media itself may be lost with a predecessor of ours that had not written it yet.
    const unreported = (row.totals ?? []).filter(({ channel }) => call.channel(channel).endTick === null);
    call.end(unreported, nowMs);
  }
  call.recognition = row.recognition;
  call.complete = row.complete;
  return call;
}
