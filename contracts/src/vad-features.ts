/**
 * What the speech detector sees of a frame of 20 ms (160 samples at 8 kHz) that follows its channel's last: levels of bands against
 * their mean and their floor, how the fine structure goes on, how it changes. asr/training/vad/features.py computes the same for the
 * training. Only sums, products, quotients and roots, which IEEE 754 rounds alike everywhere: the same sound gives the
 * same bits on every machine.
 */

const FRAME = 160;
const WINDOW = 256;
const HALF = WINDOW / 2;
const OVERLAP = WINDOW - FRAME;
/** Edges of the bands, in bins of 31.25 Hz. */
const EDGES = [4, 6, 8, 10, 12, 15, 18, 21, 25, 29, 34, 40, 46, 53, 62, 72, 84, 98, 114] as const;
export const BANDS = EDGES.length - 1;
/** In which the fine structure is followed: 190 to 1000 Hz and on to 3 kHz. */
const LOW_RANGE = 6;
const MIDDLE_RANGE = 32;
const HIGH_RANGE = 96;
/** Added to a band's power: about -80 dBFS. */
const TINY = 1e-8;
/** A slow mean over 3 s (150 frames); floors that rise 3 dB a second. */
const SLOW = 1 / 150;
const RISE = 0.02;
const FALL = 0.25;
export const FEATURES = 2 * BANDS + 8;

/** Rounded, so that no library's cosine makes a difference. */
const table = (length: number, of: (i: number) => number): Float64Array =>
  Float64Array.from({ length }, (_, i) => Math.round(of(i) * 2 ** 30) / 2 ** 30);
const HANN = Float64Array.from(
  { length: WINDOW },
  (_, i) => Math.round((0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW)) * 32768) / 32768 / 32768,
);
const COS = table(HALF, (i) => Math.cos((2 * Math.PI * i) / WINDOW));
const SIN = table(HALF, (i) => Math.sin((2 * Math.PI * i) / WINDOW));
const REVERSED = Uint8Array.from({ length: HALF }, (_, i) => {
  let reversed = 0;
  for (let bit = 0; bit < 7; bit++) reversed |= ((i >> bit) & 1) << (6 - bit);
  return reversed;
});

// Scratch of all channels: a frame is done before the next begins.
const re = new Float64Array(HALF);
const im = new Float64Array(HALF);
const bins = new Float64Array(HALF + 1);
const roots = new Float64Array(HALF + 1);
const asFloat = new Float32Array(1);
const asBits = new Int32Array(asFloat.buffer);

/** Within 0.01, for normal positive numbers: exponent and a parabola. */
function log2(x: number): number {
  asFloat[0] = x;
  const bits = asBits[0]!;
  const m = (bits & 0x7fffff) / 0x800000;
  return (bits >> 23) - 127 + (m * (4 - m)) / 3;
}

/** One channel's memory of its sound: 1.5 KB. */
export class VadFeatures {
  /** Of the last frame that was seen, for the network. */
  readonly values = new Float64Array(FEATURES);
  readonly #tail = new Int16Array(OVERLAP);
  readonly #levels = new Float64Array(BANDS);
  readonly #floors = new Float64Array(BANDS);
  readonly #fine = new Float64Array(HALF + 1);
  #mean = 0;
  #count = 0;

  /** A frame that is not looked into, but the next overlaps with it. */
  pass(samples: Int16Array, from: number): void {
    const tail = this.#tail;
    for (let i = 0, at = from + FRAME - OVERLAP; i < OVERLAP; i++, at++) tail[i] = samples[at]!;
  }

  /** @param over the frame's power over that of the noise */
  see(samples: Int16Array, from: number, over: number): void {
    this.#spectrum(samples, from);
    this.pass(samples, from);
    const { values } = this;
    const levels = this.#levels;
    const floors = this.#floors;
    this.#count++;
    const first = this.#count === 1;
    let total = 0;
    let before = 0;
    let change = 0;
    for (let band = 0; band < BANDS; band++) {
      const low = EDGES[band]!;
      const high = EDGES[band + 1]!;
      let sum = 0;
      for (let k = low; k < high; k++) sum += bins[k]!;
      const level = log2(sum / (high - low) + TINY);
      const was = first ? level : levels[band]!;
      const floor = floors[band]!;
      levels[band] = level;
      floors[band] = first
        ? level
        : level < floor
          ? floor + (level - floor) * FALL
          : Math.min(floor + RISE, level);
      total += level;
      before += was;
      change += Math.abs(level - was);
    }
    total /= BANDS;
    before /= BANDS;
    this.#mean += (total - this.#mean) * Math.max(SLOW, 1 / this.#count);
    for (let band = 0; band < BANDS; band++) {
      values[band] = within3((levels[band]! - this.#mean) / 4);
      values[BANDS + band] = (levels[band]! - floors[band]!) / 6 - 0.5;
    }
    for (let k = LOW_RANGE - 1; k <= HIGH_RANGE; k++) roots[k] = Math.sqrt(Math.sqrt(bins[k]!));
    this.#range(LOW_RANGE, MIDDLE_RANGE, 2 * BANDS);
    this.#range(MIDDLE_RANGE, HIGH_RANGE, 2 * BANDS + 1);
    values[2 * BANDS + 4] = (total + 12) / 8;
    values[2 * BANDS + 5] = within3((total - before) / 2);
    values[2 * BANDS + 6] = change / BANDS / 2 - 0.5;
    values[2 * BANDS + 7] = log2(over) / 4 - 1;
  }

  /** How like the last frames' its fine structure is (a held tone stays, a voice moves), and how far its peak stands out. */
  #range(low: number, high: number, at: number): void {
    const fine = this.#fine;
    let both = 0;
    let now = 0;
    let then = 0;
    let sum = 0;
    let peak = 0;
    for (let k = low; k < high; k++) {
      const slope = roots[k + 1]! - roots[k - 1]!;
      const old = fine[k]!;
      both += slope * old;
      now += slope * slope;
      then += old * old;
      fine[k] = 0.7 * old + 0.3 * slope;
      const bin = bins[k]!;
      sum += bin;
      if (bin > peak) peak = bin;
    }
    this.values[at] = both / Math.sqrt(now * then + 1e-12);
    this.values[at + 2] = (log2(peak + TINY) - log2(sum / (high - low) + TINY)) / 4;
  }

  /** Powers of the window's bins: 256 real samples as 128 complex ones. */
  #spectrum(samples: Int16Array, from: number): void {
    const tail = this.#tail;
    for (let i = 0; i < HALF; i++) {
      const at = 2 * i;
      const to = REVERSED[i]!;
      if (at < OVERLAP) {
        re[to] = tail[at]! * HANN[at]!;
        im[to] = tail[at + 1]! * HANN[at + 1]!;
      } else {
        re[to] = samples[from + at - OVERLAP]! * HANN[at]!;
        im[to] = samples[from + at + 1 - OVERLAP]! * HANN[at + 1]!;
      }
    }
    transform();
    // Bin k of the whole from bins k and 128 - k of the halves.
    bins[0] = (re[0]! + im[0]!) ** 2 / 64;
    bins[HALF] = (re[0]! - im[0]!) ** 2 / 64;
    for (let k = 1; k <= HALF / 2; k++) {
      const other = HALF - k;
      const evenRe = 0.5 * (re[k]! + re[other]!);
      const evenIm = 0.5 * (im[k]! - im[other]!);
      const oddRe = 0.5 * (im[k]! + im[other]!);
      const oddIm = 0.5 * (re[other]! - re[k]!);
      const turnedRe = oddRe * COS[k]! + oddIm * SIN[k]!;
      const turnedIm = oddIm * COS[k]! - oddRe * SIN[k]!;
      const aRe = evenRe + turnedRe;
      const aIm = evenIm + turnedIm;
      const bRe = evenRe - turnedRe;
      const bIm = evenIm - turnedIm;
      bins[k] = (aRe * aRe + aIm * aIm) / 64;
      bins[other] = (bRe * bRe + bIm * bIm) / 64;
    }
  }
}

const within3 = (x: number): number => (x < -3 ? -3 : x > 3 ? 3 : x);

/** Fast Fourier transform of 128 complex numbers in re and im, whose order is reversed already. */
function transform(): void {
  // The first two rounds at once: their factors are 1 and -i.
  for (let i = 0; i < HALF; i += 4) {
    const sumRe = re[i]! + re[i + 1]!;
    const sumIm = im[i]! + im[i + 1]!;
    const differenceRe = re[i]! - re[i + 1]!;
    const differenceIm = im[i]! - im[i + 1]!;
    const sum2Re = re[i + 2]! + re[i + 3]!;
    const sum2Im = im[i + 2]! + im[i + 3]!;
    const difference2Re = re[i + 2]! - re[i + 3]!;
    const difference2Im = im[i + 2]! - im[i + 3]!;
    re[i] = sumRe + sum2Re;
    im[i] = sumIm + sum2Im;
    re[i + 2] = sumRe - sum2Re;
    im[i + 2] = sumIm - sum2Im;
    re[i + 1] = differenceRe + difference2Im;
    im[i + 1] = differenceIm - difference2Re;
    re[i + 3] = differenceRe - difference2Im;
    im[i + 3] = differenceIm + difference2Re;
  }
  for (let size = 4; size < HALF; size *= 2) {
    const step = HALF / size;
    for (let k = 0; k < size; k++) {
      const cos = COS[k * step]!;
      const sin = SIN[k * step]!;
      for (let i = k; i < HALF; i += 2 * size) {
        const j = i + size;
        const turnedRe = re[j]! * cos + im[j]! * sin;
        const turnedIm = im[j]! * cos - re[j]! * sin;
        re[j] = re[i]! - turnedRe;
        im[j] = im[i]! - turnedIm;
        re[i] = re[i]! + turnedRe;
        im[i] = im[i]! + turnedIm;
      }
    }
  }
}
