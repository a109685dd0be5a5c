/** What the decoder must know of a model's clock. Samples are at 8 kHz, so one sample is one tick. */
export interface ModelTiming {
  /** Samples of one step, a whole number of frames. */
  readonly chunkSamples: number;
  /** Samples between two frames of output. */
  readonly frameSamples: number;
  /**
   * Silence (samples) after a word's last sound until its last token is out for certain: emission delay, with a margin.
   * A gap pads by this much; and a tick counts as settled only when this much audio after it has been recognised.
   */
  readonly flushSamples: number;
  /** How long (samples) before a word's first token its sound begins; a model's median. */
  readonly wordLeadSamples: number;
  /** How long (samples) after its last token's frame a word's sound ends; a model's median. Negative: before. Left out: 0. */
  readonly wordTailSamples?: number;
  /** The last word is left out of partials until the next one begins or so much audio brought no token of it. Left out: 240 ms. */
  readonly wordHoldSamples?: number;
  /** Frame n shows audio that ended this many samples before the end of frame n (look-ahead of the model). */
  readonly frameDelaySamples: number;
}

/**
 * With the shipped model and 96 synthetic sentences, of the words that were shown as they came, 25 % changed afterwards, as
 * their last piece was not there yet. With 60 ms of hold 4.6 %, 120 ms 1.8 %, 180 and 240 ms 0.1 % (one of 945), 300 ms none; with
 * 240 ms they are shown 172 ms later in the mean (0.51 s after their end at the 95th percentile, of the audio's time). This is for
 * models that say nothing; the shipped one says 180 ms.
 */
export const HOLD_TICKS = 240 * 8;
/** Trailing blanks after which a segment is final. */
export const ENDPOINT_TICKS = 700 * 8;
/** An open segment lasts at most this long (ARCHITECTURE.md, rule 3). */
export const MAX_SEGMENT_TICKS = 15 * 8000;

export const framesFor = (samples: number, timing: ModelTiming): number =>
  Math.ceil(samples / timing.frameSamples);

/** Frames without a token after which no more token of the last word comes, and its end lies before the settled tick. */
export const completeAfterFrames = (timing: ModelTiming): number =>
  framesFor(timing.flushSamples + timing.frameDelaySamples, timing) +
  framesFor(Math.max(0, timing.wordTailSamples ?? 0), timing);
/** A beam's tokens older than this cannot change any more. */
export const BEAM_SETTLE_TICKS = 12_000;
/** Partials show the best hypothesis' words that are older than this even if others are nearly as likely. */
export const SURE_AFTER_TICKS = 300 * 8;
