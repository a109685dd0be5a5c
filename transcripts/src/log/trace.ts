import {
  TRACE_FIRST,
  TRACE_FIRST_CHARS,
  TRACE_LAST,
  TRACE_LAST_CHARS,
  type TraceEntry,
} from '@earshot/contracts';
import type { PoolClient } from '@earshot/platform';
import type { TraceItem } from './plan.ts';
import { jsonParameter } from './rows.ts';

/** Appends messages to traces, and takes out what is between the first and the last. Those of calls that are not in the log are passed over. */
export async function writeTraces(client: PoolClient, items: readonly TraceItem[]): Promise<void> {
  const rows = items.flatMap(({ callId, entries }) => entries.map((entry) => rowOf(callId, entry)));
  if (rows.length === 0) return;
  await client.query(
    `insert into sip_messages (call_id, at_us, direction, transport, local, remote, text, omitted)
     select call_id, at_us, direction, transport, local, remote, text, omitted
     from jsonb_to_recordset($1::jsonb) as r (call_id text, at_us bigint, direction text, transport text, local text,
       remote text, text text, omitted integer)
     where exists (select 1 from calls where calls.id = call_id)
     on conflict do nothing`,
    [jsonParameter(rows)],
  );
  await client.query(
    `with ranked as (
       select call_id, at_us,
         row_number() over rising <= ${TRACE_FIRST} and sum(length(text)) over rising <= ${TRACE_FIRST_CHARS} as first,
         row_number() over falling <= ${TRACE_LAST} and sum(length(text)) over falling <= ${TRACE_LAST_CHARS} as last
       from sip_messages where call_id = any($1)
       window rising as (partition by call_id order by at_us), falling as (partition by call_id order by at_us desc)
     ), gone as (
       delete from sip_messages m using ranked r
       where m.call_id = r.call_id and m.at_us = r.at_us and not r.first and not r.last
       returning m.call_id, m.omitted
     ), counts as (
       select call_id, sum(1 + omitted)::integer as omitted from gone group by call_id
     ), after as (
       select call_id, min(at_us) as at_us from ranked where last and not first group by call_id
     )
     update sip_messages m set omitted = m.omitted + counts.omitted from counts join after using (call_id)
     where m.call_id = after.call_id and m.at_us = after.at_us`,
    [[...new Set(items.map(({ callId }) => callId))]],
  );
}

const rowOf = (callId: string, { atUs, ...rest }: TraceEntry) => ({ call_id: callId, at_us: atUs, ...rest });
