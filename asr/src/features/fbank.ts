import { PowerSpectrum } from './fft.ts';
import { type MelBank, kaldiMelBank, slaneyMelBank } from './mel.ts';

/** `kaldi`: as icefall's models were trained; `nemo`: as NVIDIA NeMo's were. */
export type FeatureKind = 'kaldi' | 'nemo';

const RATE_HZ = 16_000;
/** Samples of a frame (25 ms) and between two frames (10 ms). */
export const FRAME_LENGTH = 400;
export const FRAME_SHIFT = 160;
const FFT_LENGTH = 512;
const PREEMPHASIS = 0.97;
/** C's FLT_EPSILON: the floor of a filter's energy before the logarithm. */
const FLOOR = 2 ** -23;
/** What every value of a frame of silence is. */
export const SILENCE = Math.fround(Math.log(FLOOR));

/**
 * Log-mel filter-bank features of 16 kHz samples in [-1, 1], as kaldi-native-fbank (commit 6aaa1f2, feature-window.cc,
 * feature-fbank.cc and mel-computations.cc) computes them under sherpa-onnx's settings, dither off, within float32's rounding.
 *
 * `kaldi`: frame mean removed, pre-emphasis 0.97 within the frame, Povey window, HTK mel from 20 to 7600 Hz.
 * `nemo`: mean kept, pre-emphasis likewise, periodic Hann window, Slaney mel from 0 to 8000 Hz with area normalisation.
 */
export class Fbank {
  readonly bins: number;
  readonly #removeMean: boolean;
  readonly #window: Float64Array;
  readonly #bank: MelBank;
  readonly #spectrum = new PowerSpectrum(FFT_LENGTH);
  readonly #frame = new Float64Array(FFT_LENGTH);
  readonly #power = new Float64Array(FFT_LENGTH / 2 + 1);

  constructor(kind: FeatureKind, bins: number) {
    this.bins = bins;
    this.#removeMean = kind === 'kaldi';
    const range = { bins, fftLength: FFT_LENGTH, rateHz: RATE_HZ };
    if (kind === 'kaldi') {
      this.#window = windowOf((i) => (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (FRAME_LENGTH - 1))) ** 0.85);
      this.#bank = kaldiMelBank({ ...range, lowHz: 20, highHz: RATE_HZ / 2 - 400 });
    } else {
      this.#window = windowOf((i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FRAME_LENGTH));
      this.#bank = slaneyMelBank({ ...range, lowHz: 0, highHz: RATE_HZ / 2 });
    }
  }

  /** One frame. @param samples FRAME_LENGTH of them from `from` on @param output receives `bins` values from `to` on */
  compute(samples: Float32Array | Float64Array, from: number, output: Float32Array, to: number): void {
    const frame = this.#frame;
    let mean = 0;
    if (this.#removeMean) {
      for (let i = 0; i < FRAME_LENGTH; i++) mean += samples[from + i]!;
      mean /= FRAME_LENGTH;
    }
    // Before the first sample the filter sees that sample itself, as Kaldi has it.
    let previous = samples[from]! - mean;
    for (let i = 0; i < FRAME_LENGTH; i++) {
      const sample = samples[from + i]! - mean;
      frame[i] = (sample - PREEMPHASIS * previous) * this.#window[i]!;
      previous = sample;
    }
    this.#spectrum.compute(frame, this.#power);
    const { first, offsets, weights } = this.#bank;
    for (let bin = 0; bin < this.bins; bin++) {
      const begin = offsets[bin]!;
      const end = offsets[bin + 1]!;
      const shift = first[bin]! - begin;
      let energy = 0;
      for (let k = begin; k < end; k++) energy += weights[k]! * this.#power[k + shift]!;
      output[to + bin] = energy > FLOOR ? Math.log(energy) : SILENCE;
    }
  }
}

const windowOf = (value: (i: number) => number): Float64Array =>
  Float64Array.from({ length: FRAME_LENGTH }, (_, i) => value(i));
