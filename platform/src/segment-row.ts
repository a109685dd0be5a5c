import { msOfTick, type SegmentView, type WordView } from '@earshot/contracts';

/** What a reader needs of a row of the table segments, as pg hands it out. */
export interface SegmentRow {
  readonly id: string;
  readonly idx: number;
  readonly role: string;
  readonly start_tick: number;
  readonly end_tick: number;
  readonly text: string;
  readonly spoken: string;
  readonly words: WordView[];
  readonly endpoint: string | null;
}

/** The segment as everyone outside sees it: REST, WebSocket, webhooks, and transcripts that were replaced. */
export const segmentOf = (row: SegmentRow): SegmentView => ({
  id: row.id,
  channel: row.idx,
  role: row.role,
  startMs: msOfTick(row.start_tick),
  endMs: msOfTick(row.end_tick),
  text: row.text,
  spoken: row.spoken,
  words: row.words,
  ...(row.endpoint === null ? {} : { endpoint: row.endpoint }),
});
