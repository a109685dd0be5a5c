import {
  type CallInfo,
  type CallView,
  type ChannelInfo,
  type ChannelTotals,
  type ChannelView,
  type DiskRecord,
  diskStateOf,
  NO_DISK_TROUBLE,
  type RecognitionState,
  type RecordingFacts,
  recordingViewOf,
} from '@earshot/contracts';
import type { ChannelCorrection } from './corrections.ts';

/** What the call log knows of a call: one row of the table calls. Times are ms since 1970. */
export interface CallRecord {
  readonly id: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly endReason: string | null;
  readonly dialect: string;
  readonly sip: CallInfo['sip'];
  readonly externalIds: CallInfo['externalIds'];
  readonly channels: readonly ChannelInfo[];
  readonly totals: readonly ChannelTotals[] | null;
  readonly worker: number;
  readonly complete: boolean;
  readonly revision: number;
  readonly callSeq: number;
  readonly segmentCount: number;
  readonly wordCount: number;
  readonly recording: RecordingFacts | null;
  /** Indices of the channels that were promised and bring no packets, in order. */
  readonly mediaMissing: readonly number[];
  readonly disk: DiskRecord;
  /** Nothing of it is kept or recognised for now. Never of a call that has ended. */
  readonly paused: boolean;
  readonly recognition: RecognitionState;
  /** What people said of who speaks. `channels` follows it. */
  readonly corrections: readonly ChannelCorrection[];
}

export const recordOfCall = (call: CallInfo): CallRecord => ({
  id: call.callId,
  startedAtMs: call.startedAtMs,
  endedAtMs: null,
  endReason: null,
  dialect: call.dialect,
  sip: call.sip,
  externalIds: call.externalIds,
  channels: call.channels,
  totals: null,
  worker: call.worker,
  complete: false,
  revision: 0,
  callSeq: 0,
  segmentCount: 0,
  wordCount: 0,
  recording: null,
  mediaMissing: [],
  disk: NO_DISK_TROUBLE,
  paused: call.paused === true,
  recognition: call.recognition ?? 'current',
  corrections: [],
});

const channelViewOf = (info: ChannelInfo, { totals, mediaMissing }: CallRecord): ChannelView => {
  const total = totals?.find((row) => row.channel === info.channel);
  return {
    index: info.index,
    role: info.role,
    label: info.label,
    codec: info.codec,
    participant: { name: info.participant.name, aor: info.participant.aor },
    ...(info.participants === undefined ? {} : { participants: [...info.participants] }),
    evidence: [...info.evidence],
    score: info.score ?? null,
    packetsReceived: total?.packetsReceived ?? null,
    packetsLost: total?.packetsLost ?? null,
    media: mediaMissing.includes(info.index) ? 'missing' : 'present',
  };
};

/** The call as REST shows it; the data of the call events. */
export const callViewOf = (call: CallRecord): CallView => ({
  id: call.id,
  state: call.endedAtMs === null ? 'live' : 'ended',
  startedAt: new Date(call.startedAtMs).toISOString(),
  endedAt: call.endedAtMs === null ? null : new Date(call.endedAtMs).toISOString(),
  endReason: call.endReason,
  durationMs: call.endedAtMs === null ? null : Math.max(0, call.endedAtMs - call.startedAtMs),
  dialect: call.dialect,
  sip: { ...call.sip },
  externalIds: { ...call.externalIds },
  channels: call.channels.map((info) => channelViewOf(info, call)),
  paused: call.paused,
  recognition: call.recognition,
  segmentCount: call.segmentCount,
  wordCount: call.wordCount,
  complete: call.complete,
  disk: diskStateOf(call.disk),
  recording: call.recording === null ? null : recordingViewOf(call.recording),
});
