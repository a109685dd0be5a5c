/** What the answer to an offer says of a codec (SDP rtpmap and fmtp). */
export interface DecoderSpec {
  /** The encoding name of rtpmap; case does not matter. */
  readonly name: string;
  /** The clock rate of rtpmap in Hz; G722 says 8000 (RFC 3551, section 4.5.2). */
  readonly clockRate: number;
  /** The encoding parameter of rtpmap: 1 when it is left out. */
  readonly channels: number;
  /** The fmtp parameters as they were sent, '' for none. */
  readonly fmtp: string;
}

/** The payload is not what the codec's format allows. */
export const MALFORMED = -1;
/** The payload holds more samples than there is room for. */
export const TOO_LONG = -2;

/** One stream's decoder, mono, in order of its packets. It takes bytes from outside: whatever they are, it never throws. */
export interface Decoder {
  /** Hz of what decode writes. */
  readonly rate: 8000 | 16000;
  /** RTP timestamp units per second. */
  readonly clockRate: number;
  /**
   * Decodes the payload bytes[start..end) to out[0..n).
   * @returns n, samples at rate; or MALFORMED or TOO_LONG, and then neither out nor the decoder's state means anything new
   */
  decode(bytes: Uint8Array, start: number, end: number, out: Int16Array): number;
  /** State as at the beginning of a stream: the SSRC has changed. */
  reset(): void;
  /**
   * Fills out[0..samples) by the codec's own loss concealment.
   * @returns false, with out untouched, where the codec has none: WaveformConcealment is for that
   */
  conceal(out: Int16Array, samples: number): boolean;
  /** Gives native memory back. Nothing else may be called after it. */
  close(): void;
}
