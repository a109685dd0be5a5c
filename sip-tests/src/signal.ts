/** How like a recording is to what was sent: alignment and error. Pure; samples are 16-bit. */

/** How far either side of the best offset the filter of {@link likeness} reaches, in samples: 2 ms at 8 kHz. */
const HALF_TAPS = 16;
/** Stretches with less than this amplitude are pauses: signal to noise says nothing there. */
const QUIET = 100;
/** Segmental signal to noise is bounded, so that one stretch that came out exactly does not hide the others (dB). */
const LEAST_DB = -10;
const MOST_DB = 45;

export interface Lag {
  /** Where the needle begins in the haystack, in samples. */
  readonly at: number;
  /** Normalised correlation there, -1 to 1. */
  readonly correlation: number;
}

/** Where in haystack the needle is likest, among the offsets from … to. */
export function lagOf(needle: Int16Array, haystack: Int16Array, from: number, to: number): Lag {
  const norm = Math.sqrt(energy(needle, 0, needle.length));
  let best: Lag = { at: from, correlation: -1 };
  for (let at = Math.max(0, from); at <= Math.min(to, haystack.length - needle.length); at += 1) {
    let sum = 0;
    for (let i = 0; i < needle.length; i += 1) sum += needle[i]! * haystack[at + i]!;
    const other = Math.sqrt(energy(haystack, at, at + needle.length));
    const correlation = sum / (norm * other + 1);
    if (correlation > best.correlation) best = { at, correlation };
  }
  return best;
}

export interface Likeness {
  /** Mean over stretches of 20 ms with sound of the signal to noise ratio, dB. */
  readonly segmentalSnrDb: number;
  /** Over all of it. */
  readonly snrDb: number;
  /** Power heard by power sent, dB: 0 for the same loudness. */
  readonly gainDb: number;
}

/**
 * What of `heard` is not `sent` through some short linear filter: noise. The filter (32 taps, least squares) takes up what
 * resampling does, a delay of a part of a sample and the slope at the band's end, so that what remains is the codec's.
 */
export function likeness(sent: Int16Array, heard: Int16Array): Likeness {
  const length = Math.min(sent.length, heard.length);
  const filter = bestFilter(sent, heard, length);
  const noise = new Float64Array(length);
  for (let n = 0; n < length; n += 1) {
    let made = 0;
    for (let k = 0; k < filter.length; k += 1) made += filter[k]! * (sent[n + HALF_TAPS - k] ?? 0);
    noise[n] = heard[n]! - made;
  }
  let sum = 0;
  let stretches = 0;
  for (let n = 0; n + 160 <= length; n += 160) {
    const signal = energy(heard, n, n + 160);
    if (signal < 160 * QUIET ** 2) continue;
    sum += Math.max(LEAST_DB, Math.min(MOST_DB, decibel(signal / (energy(noise, n, n + 160) + 1))));
    stretches += 1;
  }
  const heardEnergy = energy(heard, 0, length);
  return {
    segmentalSnrDb: sum / stretches,
    snrDb: decibel(heardEnergy / (energy(noise, 0, length) + 1)),
    gainDb: decibel(heardEnergy / energy(sent, 0, length)),
  };
}

const decibel = (ratio: number): number => 10 * Math.log10(ratio);

function energy(samples: Int16Array | Float64Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i += 1) sum += samples[i]! ** 2;
  return sum;
}

/** Solves the normal equations of heard[n] = Σ filter[k] · sent[n + HALF_TAPS - k]. */
function bestFilter(sent: Int16Array, heard: Int16Array, length: number): Float64Array {
  const taps = 2 * HALF_TAPS + 1;
  const matrix = Array.from({ length: taps }, () => new Float64Array(taps + 1));
  for (let n = HALF_TAPS; n < length - HALF_TAPS; n += 1) {
    for (let i = 0; i < taps; i += 1) {
      const row = matrix[i]!;
      const a = sent[n + HALF_TAPS - i]!;
      if (a === 0) continue;
      for (let j = i; j < taps; j += 1) row[j] = row[j]! + a * sent[n + HALF_TAPS - j]!;
      row[taps] = row[taps]! + a * heard[n]!;
    }
  }
  for (let i = 0; i < taps; i += 1) {
    // Where the sound leaves a part of the band empty, any filter would do: the smallest is wanted.
    matrix[i]![i] = matrix[i]![i]! * (1 + 1e-9) + 1;
    for (let j = 0; j < i; j += 1) matrix[i]![j] = matrix[j]![i]!;
  }
  return solve(matrix);
}

/** Gaussian elimination of a positive definite system; the last column is the right side. */
function solve(rows: Float64Array[]): Float64Array {
  const size = rows.length;
  for (let i = 0; i < size; i += 1) {
    const pivot = rows[i]!;
    for (let below = i + 1; below < size; below += 1) {
      const row = rows[below]!;
      const factor = row[i]! / pivot[i]!;
      for (let j = i; j <= size; j += 1) row[j] = row[j]! - factor * pivot[j]!;
    }
  }
  const solution = new Float64Array(size);
  for (let i = size - 1; i >= 0; i -= 1) {
    let value = rows[i]![size]!;
    for (let j = i + 1; j < size; j += 1) value -= rows[i]![j]! * solution[j]!;
    solution[i] = value / rows[i]![i]!;
  }
  return solution;
}

/** 8 ms at 8 kHz: a click is shorter. */
const WINDOW = 64;

/**
 * By how many dB the highest sounds (above 2.4 kHz, where a click shows) around each border of a stretch that was made up exceed
 * the most that the undisturbed recording has from 20 ms before the stretch to 20 ms after it.
 * @param shift where a sample of `heard` is in `clean`, less where it is in `heard`
 */
export function seamExcesses(
  clean: Int16Array,
  heard: Int16Array,
  start: number,
  length: number,
  shift: number,
): number[] {
  let most = 0;
  for (let at = start - 160; at <= start + length + 160; at += WINDOW / 4) {
    most = Math.max(most, highPower(clean, at + shift));
  }
  return [start, start + length].map((seam) => decibel(highPower(heard, seam) / most));
}

/** Power between 2.4 and 4 kHz in the window (Hann) around a place, by discrete Fourier transform; of silence, G.711's own noise. */
function highPower(samples: Int16Array, centre: number): number {
  let power = 16 * WINDOW ** 2;
  for (let bin = Math.ceil(0.3 * WINDOW); bin <= WINDOW / 2; bin += 1) {
    let real = 0;
    let imaginary = 0;
    for (let i = 0; i < WINDOW; i += 1) {
      const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / WINDOW);
      const sample = hann * (samples[centre - WINDOW / 2 + i] ?? 0);
      const angle = (2 * Math.PI * bin * i) / WINDOW;
      real += sample * Math.cos(angle);
      imaginary -= sample * Math.sin(angle);
    }
    power += real ** 2 + imaginary ** 2;
  }
  return power;
}
