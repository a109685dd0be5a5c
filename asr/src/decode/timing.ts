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
  /** Frame n shows audio that ended this many samples before the end of frame n (look-ahead of the model). */
  readonly frameDelaySamples: number;
}

/** Trailing blanks after which a segment is final. */
export const ENDPOINT_TICKS = 700 * 8;
/** An open segment lasts at most this long (ARCHITECTURE.md, rule 3). */
export const MAX_SEGMENT_TICKS = 15 * 8000;

export const framesFor = (samples: number, timing: ModelTiming): number =>
  Math.ceil(samples / timing.frameSamples);
