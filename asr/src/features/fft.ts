/** The power spectrum of real frames of one length, a power of two; through a complex FFT of half of it. */
export class PowerSpectrum {
  readonly #half: number;
  readonly #re: Float64Array;
  readonly #im: Float64Array;
  /** Bit-reversed index of each of the half's points. */
  readonly #reversed: Uint16Array;
  /** cos and -sin of 2πk/length, k < half. */
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;

  /** @param length a power of two from 4 to 65536 */
  constructor(length: number) {
    const half = length / 2;
    const bits = Math.log2(half);
    if (!Number.isInteger(bits) || half < 2 || half > 32768) throw new RangeError(`an FFT of ${length}`);
    this.#half = half;
    this.#re = new Float64Array(half);
    this.#im = new Float64Array(half);
    this.#reversed = new Uint16Array(half);
    for (let i = 0; i < half; i++) {
      let reversed = 0;
      for (let bit = 0; bit < bits; bit++) if ((i >> bit) & 1) reversed |= 1 << (bits - 1 - bit);
      this.#reversed[i] = reversed;
    }
    this.#cos = Float64Array.from({ length: half }, (_, k) => Math.cos((2 * Math.PI * k) / length));
    this.#sin = Float64Array.from({ length: half }, (_, k) => -Math.sin((2 * Math.PI * k) / length));
  }

  /** @param frame length values @param power receives length / 2 + 1 values: |X[k]|² from 0 to the Nyquist frequency */
  compute(frame: Float64Array, power: Float64Array): void {
    const half = this.#half;
    const re = this.#re;
    const im = this.#im;
    // Even samples are the real part, odd ones the imaginary part.
    for (let i = 0; i < half; i++) {
      const to = this.#reversed[i]!;
      re[to] = frame[2 * i]!;
      im[to] = frame[2 * i + 1]!;
    }
    this.#butterflies();
    const z0 = re[0]!;
    const z1 = im[0]!;
    power[0] = (z0 + z1) * (z0 + z1);
    power[half] = (z0 - z1) * (z0 - z1);
    for (let k = 1; k <= half - k; k++) {
      const mirror = half - k;
      const evenRe = (re[k]! + re[mirror]!) / 2;
      const evenIm = (im[k]! - im[mirror]!) / 2;
      const oddRe = (im[k]! + im[mirror]!) / 2;
      const oddIm = (re[mirror]! - re[k]!) / 2;
      const cos = this.#cos[k]!;
      const sin = this.#sin[k]!;
      const turnedRe = oddRe * cos - oddIm * sin;
      const turnedIm = oddRe * sin + oddIm * cos;
      power[k] = (evenRe + turnedRe) ** 2 + (evenIm + turnedIm) ** 2;
      power[mirror] = (evenRe - turnedRe) ** 2 + (evenIm - turnedIm) ** 2;
    }
  }

  /** Radix 2, decimation in time, over bit-reversed input. */
  #butterflies(): void {
    const half = this.#half;
    const re = this.#re;
    const im = this.#im;
    const cos = this.#cos;
    const sin = this.#sin;
    for (let span = 1; span < half; span *= 2) {
      const stride = half / span;
      for (let k = 0; k < span; k++) {
        const wr = cos[k * stride]!;
        const wi = sin[k * stride]!;
        for (let a = k; a < half; a += 2 * span) {
          const b = a + span;
          const tr = re[b]! * wr - im[b]! * wi;
          const ti = re[b]! * wi + im[b]! * wr;
          re[b] = re[a]! - tr;
          im[b] = im[a]! - ti;
          re[a] = re[a]! + tr;
          im[a] = im[a]! + ti;
        }
      }
    }
  }
}
