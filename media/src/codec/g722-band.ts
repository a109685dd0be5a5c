/**
 * One sub-band of G.722's decoder: its adaptive quantiser scale and its pole-zero predictor (ITU-T G.722 (09/2012), clauses
 * 3.3 to 3.6 and 5.2; the block names are the recommendation's). All arithmetic is that of the recommendation on
 * 16-bit words, so that the outcome is the same to the bit everywhere. (Math.imul, because the engine need not watch it for
 * overflow: a tenth of the time.)
 */

/** 32 steps of two to the power of n/32, scaled by 2048: the inverse logarithm of the scale factor (ILA). */
const INVERSE_LOG = Int16Array.of(
  ...[2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834],
  ...[2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008],
);

const word = (value: number): number => (value > 32767 ? 32767 : value < -32768 ? -32768 : value);

export class G722Band {
  /** The predictor's guess at the next sample, from which the quantiser's difference counts. */
  prediction = 0;
  /** The quantiser's step. */
  scale: number;
  readonly #firstScale: number;
  readonly #maxLog: number;
  readonly #shift: number;
  #logScale = 0;
  /** The zero section's prediction, kept because its sign decides how the poles adapt. */
  #zeros = 0;
  /** Poles and the last two reconstructed samples. */
  #a1 = 0;
  #a2 = 0;
  #r1 = 0;
  /** Signs of the partial reconstructions, 0 or -1. */
  #p1 = 0;
  #p2 = 0;
  /** Six zeros and the six last differences, the newest first. */
  readonly #b = new Int32Array(6);
  readonly #d = new Int32Array(6);

  /**
   * @param firstScale the step at the beginning: 32 for the lower band, 8 for the higher
   * @param maxLog limit of the logarithmic scale: 18432 and 22528
   * @param shift of the scale: 8 and 10
   */
  constructor(firstScale: number, maxLog: number, shift: number) {
    this.scale = firstScale;
    this.#firstScale = firstScale;
    this.#maxLog = maxLog;
    this.#shift = shift;
  }

  reset(): void {
    this.prediction = 0;
    this.scale = this.#firstScale;
    this.#logScale = this.#zeros = 0;
    this.#a1 = this.#a2 = this.#r1 = this.#p1 = this.#p2 = 0;
    this.#b.fill(0);
    this.#d.fill(0);
  }

  /** LOGSCL or LOGSCH, then SCALEL or SCALEH. @param weight the multiplier's logarithm for the code just received */
  rescale(weight: number): void {
    const log = (Math.imul(this.#logScale, 127) >> 7) + weight;
    this.#logScale = log < 0 ? 0 : log > this.#maxLog ? this.#maxLog : log;
    const mantissa = INVERSE_LOG[(this.#logScale >> 6) & 31]!;
    const down = this.#shift - (this.#logScale >> 11);
    this.scale = (down < 0 ? mantissa << -down : mantissa >> down) << 2;
  }

  /** @param difference the quantised difference just received; the prediction moves on to the next sample */
  predict(difference: number): void {
    const reconstructed = word(this.prediction + difference);
    this.#adaptPoles(word(this.#zeros + difference) >> 15);
    this.#zeros = this.#adaptZeros(difference);
    // FILTEP
    const poles =
      (Math.imul(this.#a1, word(2 * reconstructed)) >> 15) + (Math.imul(this.#a2, word(2 * this.#r1)) >> 15);
    this.#r1 = reconstructed;
    this.prediction = word(word(poles) + this.#zeros);
  }

  /** UPPOL2 and UPPOL1. @param p the sign of the new partial reconstruction */
  #adaptPoles(p: number): void {
    const four = word(this.#a1 * 4);
    const toward = p === this.#p1 ? word(-four) : four;
    let a2 = (p === this.#p2 ? 128 : -128) + (toward >> 7) + (Math.imul(this.#a2, 32512) >> 15);
    a2 = a2 > 12288 ? 12288 : a2 < -12288 ? -12288 : a2;
    let a1 = (p === this.#p1 ? 192 : -192) + (Math.imul(this.#a1, 32640) >> 15);
    const limit = 15360 - a2;
    a1 = a1 > limit ? limit : a1 < -limit ? -limit : a1;
    this.#a1 = a1;
    this.#a2 = a2;
    this.#p2 = this.#p1;
    this.#p1 = p;
  }

  /** UPZERO, DELAYA and FILTEZ. @returns the zero section's prediction of the next sample */
  #adaptZeros(difference: number): number {
    const b = this.#b;
    const d = this.#d;
    const step = difference === 0 ? 0 : 128;
    const sign = difference >> 15;
    let sum = 0;
    for (let i = 5; i >= 0; i--) {
      const adapted = (Math.imul(b[i]!, 32640) >> 15) + (d[i]! >> 15 === sign ? step : -step);
      b[i] = adapted;
      const newer = i === 0 ? difference : d[i - 1]!;
      d[i] = newer;
      sum += Math.imul(adapted, word(2 * newer)) >> 15;
    }
    return word(sum);
  }
}
