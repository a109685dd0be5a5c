import { kaiser, kaiserBeta, lowPass, toSample } from './fir.ts';

/** Coefficients on each side of the middle that are not zero. */
const SIDE = 16;
/** Samples of the filter: every second coefficient of a half-band filter is zero, but for the middle. */
const TAPS = 4 * SIDE - 1;
const CHUNK = 512;

/** From the middle outwards: at distances 1, 3, 5, …, and scaled so that a constant stays what it is. */
const COEFFICIENTS = ((): Float64Array => {
  const beta = kaiserBeta(60);
  const side = Float64Array.from({ length: SIDE }, (_, k) => {
    const distance = 2 * k + 1;
    return lowPass(distance, 0.25) * kaiser(distance / (2 * SIDE), beta);
  });
  const sum = side.reduce((total, value) => total + value, 0);
  return side.map((value) => value / (4 * sum));
})();

/**
 * 16 kHz to 8 kHz, or any rate to its half: flat to 0.22 of the input's rate (3.55 kHz), half at 0.25, 60 dB down from 0.28
 * (4.45 kHz) on. It delays by 31 input samples (1.9 ms).
 */
export class HalfbandDecimator {
  static readonly delaySamples = (TAPS - 1) / 2;
  readonly #line = new Int16Array(TAPS - 1 + CHUNK);
  /** Whether the next input sample is the second of its pair, and makes no output. */
  #odd = 0;

  reset(): void {
    this.#line.fill(0);
    this.#odd = 0;
  }

  /** @param out has room for (n + 1) / 2 samples; may be `input` itself @returns how many of them were written */
  process(input: Int16Array, n: number, out: Int16Array): number {
    const line = this.#line;
    let written = 0;
    for (let done = 0; done < n; done += CHUNK) {
      const count = Math.min(CHUNK, n - done);
      for (let i = 0; i < count; i++) line[TAPS - 1 + i] = input[done + i]!;
      let i = this.#odd;
      for (; i < count; i += 2) {
        const middle = i + 2 * SIDE - 1;
        let sum = 0.5 * line[middle]!;
        for (let k = 0; k < SIDE; k++) {
          sum += COEFFICIENTS[k]! * (line[middle - 2 * k - 1]! + line[middle + 2 * k + 1]!);
        }
        out[written++] = toSample(sum);
      }
      this.#odd = i - count;
      line.copyWithin(0, count, count + TAPS - 1);
    }
    return written;
  }
}
