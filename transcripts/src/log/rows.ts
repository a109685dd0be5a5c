import type {
  CallId,
  CallInfo,
  ChannelInfo,
  ChannelTotals,
  DiskRecord,
  RecognitionState,
  RecordingFacts,
} from '@earshot/contracts';
import type { CallRecord } from '../assemble/call-view.ts';
import type { ChannelCorrection } from '../assemble/corrections.ts';

/** A row of the table calls, as pg hands it out. */
export interface CallRow {
  id: CallId;
  started_at: Date;
  ended_at: Date | null;
  end_reason: string | null;
  dialect: string;
  sip: CallInfo['sip'];
  external_ids: Record<string, string>;
  channels: ChannelInfo[];
  totals: ChannelTotals[] | null;
  worker: number;
  complete: boolean;
  revision: number;
  call_seq: number;
  segment_count: number;
  word_count: number;
  recording: RecordingFacts | null;
  media_missing: number[];
  disk: DiskRecord;
  paused: boolean;
  recognition: RecognitionState;
  corrections: ChannelCorrection[];
}

export const CALL_COLUMNS =
  'id, started_at, ended_at, end_reason, dialect, sip, external_ids, channels, totals, worker, complete, revision, call_seq, segment_count, word_count, recording, media_missing, disk, paused, recognition, corrections';

export const recordOfRow = (row: CallRow): CallRecord => ({
  id: row.id,
  startedAtMs: row.started_at.getTime(),
  endedAtMs: row.ended_at?.getTime() ?? null,
  endReason: row.end_reason,
  dialect: row.dialect,
  sip: row.sip,
  externalIds: row.external_ids,
  channels: row.channels,
  totals: row.totals,
  worker: row.worker,
  complete: row.complete,
  revision: row.revision,
  callSeq: row.call_seq,
  segmentCount: row.segment_count,
  wordCount: row.word_count,
  recording: row.recording,
  mediaMissing: row.media_missing,
  disk: row.disk,
  paused: row.paused,
  recognition: row.recognition,
  corrections: row.corrections,
});

export const rowOfRecord = (call: CallRecord): Record<keyof CallRow, unknown> => ({
  id: call.id,
  started_at: new Date(call.startedAtMs),
  ended_at: call.endedAtMs === null ? null : new Date(call.endedAtMs),
  end_reason: call.endReason,
  dialect: call.dialect,
  sip: call.sip,
  external_ids: call.externalIds,
  channels: call.channels,
  totals: call.totals,
  worker: call.worker,
  complete: call.complete,
  revision: call.revision,
  call_seq: call.callSeq,
  segment_count: call.segmentCount,
  word_count: call.wordCount,
  recording: call.recording,
  media_missing: call.mediaMissing,
  disk: call.disk,
  paused: call.paused,
  recognition: call.recognition,
  corrections: call.corrections,
});

/**
 * JSON for a jsonb parameter. PostgreSQL's jsonb has no NUL and no lone surrogates, both of which a SIP header may
 * carry: they become U+FFFD, in keys too.
 */
export function jsonParameter(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'string') return cleanText(inner);
    if (inner !== null && typeof inner === 'object' && !Array.isArray(inner)) {
      const entries = Object.entries(inner);
      return entries.every(([key]) => cleanText(key) === key)
        ? inner
        : Object.fromEntries(entries.map(([key, entry]) => [cleanText(key), entry as unknown]));
    }
    return inner;
  });
}

const cleanText = (text: string): string => text.toWellFormed().replaceAll('\0', '\ufffd');
