import type { CallId } from '@earshot/contracts';
import type { Pool } from '@earshot/platform';
import type { ChannelEnd } from './followed-call.ts';

/** A call whose transcript is complete: where its channels end, what the serving model heard. */
export interface ServedCall {
  readonly callId: CallId;
  readonly ends: readonly ChannelEnd[];
  /** Words as spoken, by channel index. */
  readonly words: ReadonlyMap<number, readonly string[]>;
}

/** Which of these calls are complete. @throws database errors */
export async function completeCalls(pool: Pool, callIds: readonly CallId[]): Promise<ServedCall[]> {
  if (callIds.length === 0) return [];
  const { rows: channels } = await pool.query<{ call_id: CallId; idx: number; end_tick: number }>(
    `select ch.call_id, ch.idx, ch.end_tick from channels ch join calls c on c.id = ch.call_id
     where c.id = any($1) and c.complete and ch.end_tick is not null`,
    [callIds],
  );
  const complete = [...new Set(channels.map(({ call_id }) => call_id))];
  const { rows: segments } = await pool.query<{ call_id: CallId; idx: number; spoken: string }>(
    'select call_id, idx, spoken from segments where call_id = any($1) order by call_id, idx, from_tick',
    [complete],
  );
  return complete.map((callId) => ({
    callId,
    ends: channels
      .filter(({ call_id }) => call_id === callId)
      .map(({ idx, end_tick }) => ({ index: idx, endTick: end_tick })),
    words: wordsByChannel(segments.filter(({ call_id }) => call_id === callId)),
  }));
}

function wordsByChannel(
  segments: readonly { readonly idx: number; readonly spoken: string }[],
): Map<number, string[]> {
  const words = new Map<number, string[]>();
  for (const { idx, spoken } of segments) {
    const list = words.get(idx) ?? [];
    list.push(...spoken.split(/\s+/).filter((word) => word !== ''));
    words.set(idx, list);
  }
  return words;
}
