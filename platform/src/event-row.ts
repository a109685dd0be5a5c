import type { EventView } from '@earshot/contracts';

/** A row of the table events, as pg hands it out. */
export interface EventRow {
  readonly epoch: number;
  readonly seq: number;
  readonly call_id: string;
  readonly call_seq: number;
  readonly type: string;
  readonly timestamp: Date;
  readonly data: Record<string, unknown>;
}

/** The logged event as everyone outside sees it: REST, SSE, WebSocket and webhooks alike. */
export function eventOf(row: EventRow): EventView {
  return {
    epoch: row.epoch,
    seq: row.seq,
    callId: row.call_id,
    callSeq: row.call_seq,
    type: row.type,
    timestamp: row.timestamp.toISOString(),
    data: row.data,
  };
}
