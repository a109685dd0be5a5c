/** Triangular filters over a power spectrum; each covers a run of neighbouring FFT bins. */
export interface MelBank {
  /** First FFT bin of each filter. */
  readonly first: Int32Array;
  /** Filter n's weights are [offsets[n], offsets[n + 1]). */
  readonly offsets: Int32Array;
  readonly weights: Float64Array;
}

interface Triangles {
  readonly bins: number;
  readonly fftLength: number;
  readonly rateHz: number;
  readonly lowHz: number;
  readonly highHz: number;
}

/** Kaldi's and HTK's scale. */
const htkMel = (hz: number): number => 1127 * Math.log(1 + hz / 700);

/** Slaney's Auditory Toolbox, librosa's default: linear to 1 kHz, logarithmic above. */
const SLANEY_STEP = 27 / Math.log(6.4);
const slaneyMel = (hz: number): number =>
  hz <= 1000 ? (3 * hz) / 200 : 15 + SLANEY_STEP * Math.log(hz / 1000);
const slaneyHz = (mel: number): number =>
  mel <= 15 ? (200 * mel) / 3 : 1000 * Math.exp((mel - 15) / SLANEY_STEP);

/** Kaldi: triangles in the mel domain, height 1, the Nyquist bin left out. */
export function kaldiMelBank(options: Triangles): MelBank {
  const binHz = options.rateHz / options.fftLength;
  return bankOf(
    options,
    options.fftLength / 2,
    htkMel,
    (bin) => htkMel(bin * binHz),
    () => 1,
  );
}

/** librosa: Slaney's mel scale, triangles in Hz, each of area 1, the Nyquist bin included. */
export function slaneyMelBank(options: Triangles): MelBank {
  const binHz = options.rateHz / options.fftLength;
  return bankOf(
    options,
    options.fftLength / 2 + 1,
    slaneyMel,
    (bin) => bin * binHz,
    (left, right) => 2 / (right - left),
    slaneyHz,
  );
}

/**
 * @param position where an FFT bin lies, in the domain in which triangles are straight
 * @param toPosition from mel to that domain
 */
function bankOf(
  { bins, lowHz, highHz }: Triangles,
  fftBins: number,
  toMel: (hz: number) => number,
  position: (fftBin: number) => number,
  height: (left: number, right: number) => number,
  toPosition: (mel: number) => number = (mel) => mel,
): MelBank {
  const low = toMel(lowHz);
  const step = (toMel(highHz) - low) / (bins + 1);
  const first = new Int32Array(bins);
  const offsets = new Int32Array(bins + 1);
  const weights: number[] = [];
  for (let bin = 0; bin < bins; bin++) {
    const left = toPosition(low + bin * step);
    const center = toPosition(low + (bin + 1) * step);
    const right = toPosition(low + (bin + 2) * step);
    for (let i = 0; i < fftBins; i++) {
      const x = position(i);
      if (x <= left || x >= right) continue;
      if (weights.length === offsets[bin]!) first[bin] = i;
      const weight = x <= center ? (x - left) / (center - left) : (right - x) / (right - center);
      weights.push(weight * height(left, right));
    }
    offsets[bin + 1] = weights.length;
  }
  return { first, offsets, weights: Float64Array.from(weights) };
}
