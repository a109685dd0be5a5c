import type { CallInfo, CallView, ChannelInfo, ChannelTotals, ChannelView } from '@earshot/contracts';
import type { ChannelCorrection } from './corrections.ts';

/** The recording's facts, as the calls table keeps them. */
export interface RecordingFacts {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly durationMs: number;
}

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
  /** Nothing of it is kept or recognised for now. Never of a call that has ended. */
  readonly paused: boolean;
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
  paused: call.paused === true,
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
  segmentCount: call.segmentCount,
  wordCount: call.wordCount,
  complete: call.complete,
  recording:
    call.recording === null
      ? null
      : {
          bytes: call.recording.bytes,
          sha256: call.recording.sha256,
          durationMs: call.recording.durationMs,
        },
});
