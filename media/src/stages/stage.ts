import type { PacketSink, RtpPacket } from '../rtp/packet.ts';
import type { TapeSink } from '../spool/tape.ts';
import type { AudioSink } from '../timeline/timeline.ts';

/**
 * A stage is made once a channel, with its downstream, and may allocate then; its per-packet method may not. Each prints
 * itself and what follows, so that a channel's whole pipeline can be read in a log line and asserted in a test.
 */
export interface Described {
  toString(): string;
}
export type PacketStage = PacketSink & Described;
/** A stage that is also told of the stream's packets that cannot be used. Empty ones mean silence. */
export interface DecodedStage extends PacketStage {
  unusable(packet: RtpPacket): void;
}
export type AudioStage = AudioSink & Described;
export type TapeStage = TapeSink & Described;
