import type { ChannelId, SegmentId } from '../ids.ts';

/**
 * asr engine → transcripts, on transcripts' `words` socket. Finals block (the engine waits for the socket to
 * drain), partials coalesce. If this link breaks the engine tells its media workers that all its channels are
 * `lost`: they are opened again from their committed ticks, so nothing here needs a resend.
 */
export interface Word {
  /** As spoken, lower case, no punctuation. */
  readonly text: string;
  readonly startTick: number;
  readonly endTick: number;
  /** 0..1 */
  readonly confidence: number;
}

export type FromEngine =
  | { readonly type: 'hello'; readonly engine: number; readonly pid: number; readonly model: string }
  | {
      readonly type: 'partial';
      readonly channel: ChannelId;
      readonly attempt: number;
      readonly segmentId: SegmentId;
      readonly fromTick: number;
      /** Rises with each change of the segment within an attempt. */
      readonly rev: number;
      readonly words: readonly Word[];
      /** Arrival of the last audio that made this (monotonic microseconds). */
      readonly arrivalUs: number;
    }
  | {
      readonly type: 'final';
      readonly channel: ChannelId;
      readonly attempt: number;
      readonly segmentId: SegmentId;
      readonly fromTick: number;
      /** The channel is settled up to here once this is committed. Never inside a word. */
      readonly toTick: number;
      readonly words: readonly Word[];
      readonly arrivalUs: number;
    }
  | {
      readonly type: 'progress';
      readonly channel: ChannelId;
      readonly attempt: number;
      /** All audio and silence before it went through the recogniser. */
      readonly decidedTick: number;
      /** No open segment and no unsent final lies before it; the committed offset may move here. */
      readonly settledTick: number;
    }
  | { readonly type: 'ended'; readonly channel: ChannelId; readonly attempt: number; readonly tick: number };

export type ToEngine = { readonly type: 'hello'; readonly pid: number };
