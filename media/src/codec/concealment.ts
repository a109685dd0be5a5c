import { type CodecName, encoderOf, linearTableOf, silenceCodeOf } from '@earshot/contracts';

/** What is repeated: the last 20 ms. */
const REPEATED_TICKS = 160;
/** The repetition fades to nothing within 60 ms, as G.711 appendix I does; after that, silence. */
const FADE_TICKS = 480;

/** Fills losses of one channel with its last 20 ms, fading, in the channel's own G.711 codes. */
export class Concealment {
  readonly silence: number;
  readonly #linear: Int16Array;
  readonly #encode: (sample: number) => number;
  readonly #last = new Uint8Array(REPEATED_TICKS);
  #lastTicks = 0;

  constructor(encoding: CodecName) {
    this.silence = silenceCodeOf(encoding);
    this.#linear = linearTableOf(encoding);
    this.#encode = encoderOf(encoding);
  }

  /** Remembers the end of bytes[start..end), the newest audio. */
  heard(bytes: Uint8Array, start: number, end: number): void {
    const from = Math.max(start, end - REPEATED_TICKS);
    this.#lastTicks = end - from;
    for (let i = from; i < end; i++) this.#last[i - from] = bytes[i]!;
  }

  /** Writes ticks codes to the front of out. */
  conceal(out: Uint8Array, ticks: number): void {
    for (let i = 0; i < ticks; i++) {
      if (i >= FADE_TICKS || this.#lastTicks === 0) {
        out[i] = this.silence;
      } else {
        const sample = this.#linear[this.#last[i % this.#lastTicks]!]!;
        out[i] = this.#encode(Math.round((sample * (FADE_TICKS - i)) / FADE_TICKS));
      }
    }
  }
}
