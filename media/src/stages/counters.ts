import type { RejectReason } from '../rtp/packet.ts';

/** What a channel counts. Plain numbers: the metrics are brought up to date from them once a second. */
export interface ChannelCounters {
  /** Taken packets with audio, those that came late or twice included. */
  received: number;
  late: number;
  duplicate: number;
  /** Keys pressed (telephone-event). */
  keys: number;
  /** Comfort noise packets: the sender says that it sends nothing. */
  comfortNoise: number;
  readonly rejected: Record<RejectReason, number>;
}

export const newCounters = (): ChannelCounters => ({
  received: 0,
  late: 0,
  duplicate: 0,
  keys: 0,
  comfortNoise: 0,
  rejected: newRejected(),
});

export const newRejected = (): Record<RejectReason, number> => ({
  garbage: 0,
  rtcp: 0,
  size: 0,
  payload_type: 0,
  source: 0,
  sequence: 0,
  undecodable: 0,
  authentication: 0,
  paused: 0,
});

export const rejectedOf = (counters: ChannelCounters): number =>
  Object.values(counters.rejected).reduce((sum, count) => sum + count, 0);
