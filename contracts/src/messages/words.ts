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
      /** None: what was shown of the segment turned out to be nothing, and no final will take its place. */
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
      readonly endpoint?: Endpoint;
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

/** Why a segment ended: a pause, the longest length, nothing more to hear, the channel's end, on request, the call's maxDelayMs. */
export type Endpoint = 'pause' | 'length' | 'gap' | 'end' | 'request' | 'delay';

/** A phrase to prefer. */
export interface VocabularyPhrase {
  /** As spoken: lower-case words (`earshot`, `d r a c h t i o`). */
  readonly text: string;
  /** How strongly, 0..10 in units of log-probability a word piece; 2 is a usual value. */
  readonly boost: number;
}

export interface VocabularyList {
  readonly name: string;
  readonly phrases: readonly VocabularyPhrase[];
}

/** transcripts → asr engine, the other way on the same connection. */
export type ToEngine =
  | { readonly type: 'hello'; readonly pid: number }
  /** All lists: after hello, and whenever one changes. A channel opened later uses them as they are then. */
  | { readonly type: 'vocabulary'; readonly lists: readonly VocabularyList[] }
  /** Somebody asks for what was said so far: the open segment becomes final. Unknown channels are ignored. */
  | { readonly type: 'finalise'; readonly channel: ChannelId };
