import type { ChannelId } from '@earshot/contracts';
import type { PoolClient } from '@earshot/platform';
import type { LedgerItem } from './plan.ts';
import { jsonParameter } from './rows.ts';

/** Appends parts of ledgers. Those of a call that is not in the log, or no more, are passed over. */
export async function writeLedger(client: PoolClient, items: readonly LedgerItem[]): Promise<void> {
  if (items.length === 0) return;
  await client.query(
    `insert into ledger (call_id, channel, from_tick, to_tick, fill, told_by, spans, notes)
     select "callId", channel, "fromTick", "toTick", fill, "toldBy", spans, notes
     from jsonb_array_elements($1::jsonb) with ordinality as e (item, place),
       jsonb_to_record(item) as r (
         "callId" text, channel text, "fromTick" bigint, "toTick" bigint, fill boolean, "toldBy" integer,
         spans jsonb, notes jsonb)
     where exists (select 1 from calls where calls.id = "callId")
     order by place`,
    [jsonParameter(items.map(({ callId, channel, row }) => ({ callId, channel, ...row })))],
  );
  const reached = new Map<ChannelId, LedgerItem>(items.map((item) => [item.channel, item]));
  await client.query(
    `insert into channels (channel, call_id, idx, ledger_tick)
     select channel, "callId", index, "reachTick"
     from jsonb_to_recordset($1::jsonb) as r (channel text, "callId" text, index integer, "reachTick" bigint)
     where exists (select 1 from calls where calls.id = "callId")
     on conflict (channel) do update set ledger_tick = excluded.ledger_tick`,
    [
      jsonParameter(
        [...reached.values()].map(({ callId, channel, index, reachTick }) => ({
          callId,
          channel,
          index,
          reachTick,
        })),
      ),
    ],
  );
}
