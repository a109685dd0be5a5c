import type { ChannelId } from '@earshot/contracts';
import type { FinalSegment, OpenSegment } from '../decode/channel-decoder.ts';

/** Who opened a channel: a media worker's connection. */
export interface ChannelOwner {
  credit(channel: ChannelId, attempt: number, uptoTick: number, decidedTick: number): void;
  lost(channel: ChannelId, attempt: number, code: LostCode): void;
}

export type LostCode =
  /** Every row of state is taken. */
  | 'ENGINE_FULL'
  /** What was recognised cannot be handed on. */
  | 'TRANSCRIPTS_LINK'
  /** More audio came than the credit allowed, by far. */
  | 'CREDIT_EXCEEDED'
  /** The speech server behind this engine ended the channel's stream before its words were final (src/network). */
  | 'REMOTE_LINK'
  /** This engine is about to be replaced. */
  | 'ENGINE_DRAINING';

/** Where words go. A partial may be held back and asked for later; all else is in order and whole. */
export interface WordsSink {
  partial(channel: ChannelId, attempt: number, segment: OpenSegment, arrivalUs: number): void;
  final(channel: ChannelId, attempt: number, segment: FinalSegment, arrivalUs: number): void;
  progress(channel: ChannelId, attempt: number, decidedTick: number, settledTick: number): void;
  ended(channel: ChannelId, attempt: number, tick: number): void;
  /** Partials may not be sent now: they would pile up. */
  readonly congested: boolean;
  /** Nothing may be sent now. */
  readonly blocked: boolean;
}
