import { G722Band } from './g722-band.ts';
import { type Decoder, TOO_LONG } from './spec.ts';

/** Quantised differences of the lower band by its six bits (table of QM6), and by the upper four of them (QM4). */
const QM6 = Int32Array.of(
  ...[-136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360],
  ...[
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
  ],
  ...[-1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856],
  ...[7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728],
  ...[432, 136, -432, -136],
);
const QM4 = Int32Array.of(
  ...[0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0],
);
/** Logarithmic multipliers of the lower band's scale by the same four bits (RL42, then WL). */
const LOWER_WEIGHT = Int32Array.of(
  ...[-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60],
);
/** The higher band's two bits: differences (QM2) and logarithmic multipliers (RH2, then WH). */
const QM2 = Int32Array.of(-7408, -1616, 7408, 1616);
const HIGHER_WEIGHT = Int32Array.of(798, -214, 798, -214);
/** Every second coefficient of the quadrature mirror filter (clause 4.4); the others are the same backwards. */
const QMF = Int32Array.of(3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11);
const QMF_TAPS = 24;

const word = (value: number): number => (value > 32767 ? 32767 : value < -32768 ? -32768 : value);
const limit = (value: number): number => (value > 16383 ? 16383 : value < -16384 ? -16384 : value);

/**
 * G.722 at 64 kbit/s (ITU-T G.722, mode 1; RFC 3551, section 4.5.2): each byte becomes two samples at 16 kHz, while RTP counts
 * one unit for both. Its predictors live as long as the stream; a decoder that forgets them between packets clicks at
 * each border. After a loss they find back by themselves within 100 ms.
 *
 * At 8 kHz, which is all that calls are decoded at (docs/adr/0012-eight-kilohertz.md), only the lower of its two bands is decoded. The encoder's filter has split them as a decimator would, so this is what
 * the 16 kHz brought down would be, for less than half of the work. The 16 kHz are here because ffmpeg's can be compared with them, to
 * the sample: that is what shows that the lower band is right.
 */
export class G722Decoder implements Decoder {
  readonly rate: 8000 | 16000;
  readonly clockRate = 8000;
  readonly #lower = new G722Band(32, 18432, 8);
  readonly #higher = new G722Band(8, 22528, 10);
  /** The filter's delay line, written twice so that the last 24 values are always in one piece. */
  readonly #line = new Int32Array(2 * QMF_TAPS);
  #at = 0;

  constructor(rate: 8000 | 16000) {
    this.rate = rate;
  }

  decode(bytes: Uint8Array, start: number, end: number, out: Int16Array): number {
    const samples = (Math.max(0, end - start) * this.rate) / this.clockRate;
    if (samples > out.length) return TOO_LONG;
    if (this.rate === 16000) this.#wide(bytes, start, end, out);
    else for (let i = start, o = 0; i < end; i++, o++) out[o] = 2 * this.#low(bytes[i]! & 0x3f);
    return samples;
  }

  reset(): void {
    this.#lower.reset();
    this.#higher.reset();
    this.#line.fill(0);
    this.#at = 0;
  }

  conceal(): boolean {
    return false;
  }

  close(): void {
    // No native memory.
  }

  /** Both bands, put together by the quadrature mirror filter. */
  #wide(bytes: Uint8Array, start: number, end: number, out: Int16Array): void {
    const line = this.#line;
    for (let i = start, o = 0; i < end; i++, o += 2) {
      const code = bytes[i]!;
      const low = this.#low(code & 0x3f);
      const high = this.#high(code >> 6);
      const at = this.#at;
      line[at] = line[at + QMF_TAPS] = low + high;
      line[at + 1] = line[at + 1 + QMF_TAPS] = low - high;
      const oldest = at + 2;
      this.#at = oldest === QMF_TAPS ? 0 : oldest;
      let even = 0;
      let odd = 0;
      for (let k = 0; k < 12; k++) {
        even += Math.imul(line[oldest + 2 * k]!, QMF[k]!);
        odd += Math.imul(line[oldest + 2 * k + 1]!, QMF[11 - k]!);
      }
      out[o] = word(odd >> 11);
      out[o + 1] = word(even >> 11);
    }
  }

  /** The lower band hears all six bits, but adapts by the upper four, which every mode has. */
  #low(code: number): number {
    const band = this.#lower;
    const sample = limit(band.prediction + ((band.scale * QM6[code]!) >> 15));
    const coarse = code >> 2;
    const difference = (band.scale * QM4[coarse]!) >> 15;
    band.rescale(LOWER_WEIGHT[coarse]!);
    band.predict(difference);
    return sample;
  }

  #high(code: number): number {
    const band = this.#higher;
    const difference = (band.scale * QM2[code]!) >> 15;
    const sample = limit(band.prediction + difference);
    band.rescale(HIGHER_WEIGHT[code]!);
    band.predict(difference);
    return sample;
  }
}
