import { type ChannelInfo, foldLedger, type LedgerRow } from '@earshot/contracts';
import type { CallLedger } from '../formats/ledger.ts';
import type { Database } from './database.ts';

interface Row {
  readonly id: string;
  readonly ended: boolean;
  readonly channels: readonly ChannelInfo[];
  readonly fences:
    | {
        readonly idx: number;
        readonly end_tick: number | null;
        readonly committed_tick: number;
        readonly ledger_tick: number;
        readonly told_tick: number | null;
      }[]
    | null;
}

interface PartRow extends LedgerRow {
  readonly channel: string;
}

/** Where words are. */
export interface Spoken {
  readonly idx: number;
  readonly startTick: number;
  readonly endTick: number;
}

const EVER = { fromTick: 0, toTick: Number.MAX_SAFE_INTEGER };

/**
 * The call's ledger. @param range outside of it the spans may be wrong, and less is read. @param known where the call's words are,
 * in order: for who has read them already, or needs none. @returns null: no such call
 */
export async function findLedger(
  db: Database,
  callId: string,
  range = EVER,
  known?: readonly Spoken[],
): Promise<CallLedger | null> {
  const call = await db.first<Row>(
    `select id, ended_at is not null as ended, channels,
       (select jsonb_agg(jsonb_build_object('idx', f.idx, 'end_tick', f.end_tick, 'committed_tick', f.committed_tick,
          'ledger_tick', f.ledger_tick,
          'told_tick', (select max(to_tick) from ledger l where l.call_id = f.call_id and l.channel = f.channel)))
        from channels f where f.call_id = calls.id) as fences
     from calls where id = $1`,
    [callId],
  );
  if (call === null) return null;
  const window = [callId, range.fromTick, range.toTick];
  const parts = await db.rows<PartRow>(
    `select channel, from_tick as "fromTick", to_tick as "toTick", fill, told_by as "toldBy", spans, notes
     from ledger where call_id = $1 and to_tick >= $2 and from_tick <= $3 order by id`,
    window,
  );
  const spoken =
    known ??
    (await db.rows<Spoken>(
      `select idx, start_tick as "startTick", end_tick as "endTick"
       from segments where call_id = $1 and end_tick > $2 and start_tick < $3 order by start_tick`,
      window,
    ));
  const partsOf = Map.groupBy(parts, ({ channel }) => channel);
  const spokenOf = Map.groupBy(spoken, ({ idx }) => idx);
  return {
    callId: call.id,
    state: call.ended ? 'ended' : 'live',
    channels: call.channels.map(({ channel, index, role }) => {
      const fence = call.fences?.find(({ idx }) => idx === index);
      return {
        index,
        role,
        endTick: fence?.end_tick ?? null,
        committedTick: fence?.committed_tick ?? 0,
        ledgerTick: fence?.ledger_tick ?? 0,
        toldTick: fence?.told_tick ?? 0,
        spoken: spokenOf.get(index) ?? [],
        folded: foldLedger(partsOf.get(channel) ?? []),
      };
    }),
  };
}
