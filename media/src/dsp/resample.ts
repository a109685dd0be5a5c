import { kaiser, kaiserBeta, kaiserTaps, lowPass, toSample } from './fir.ts';

/** What is above the stop-band's edge is this far down. */
const ATTENUATION_DB = 70;
/** The pass-band ends here, as a part of the lower of the two rates: 7 kHz of 16 kHz. The stop-band begins at a half. */
const PASS_EDGE = 0.4375;
/** Input samples that are worked on at a time. */
const CHUNK = 512;

interface Phases {
  /** Output and input rate without their common divisor. */
  readonly up: number;
  readonly down: number;
  readonly taps: number;
  /** `up` filters of `taps` coefficients, the oldest sample's first. */
  readonly coefficients: Float32Array;
}

const designs = new Map<string, Phases>();

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

/** Each pair of rates is designed once: 44.1 kHz has 160 phases, 11.025 kHz has 640. */
function phasesFor(inputRate: number, outputRate: number): Phases {
  const key = `${inputRate}:${outputRate}`;
  const known = designs.get(key);
  if (known !== undefined) return known;
  const common = divisor(inputRate, outputRate);
  const up = outputRate / common;
  const down = inputRate / common;
  const lower = Math.min(inputRate, outputRate) / inputRate;
  const taps = 2 * Math.ceil(kaiserTaps(ATTENUATION_DB, (0.5 - PASS_EDGE) * lower) / 2);
  const cutoff = ((0.5 + PASS_EDGE) / 2) * lower;
  const beta = kaiserBeta(ATTENUATION_DB);
  const coefficients = new Float32Array(up * taps);
  for (let phase = 0; phase < up; phase++) {
    let sum = 0;
    for (let j = 0; j < taps; j++) {
      const t = j + phase / up - taps / 2;
      const value = lowPass(t, cutoff) * kaiser((2 * t) / taps, beta);
      coefficients[phase * taps + taps - 1 - j] = value;
      sum += value;
    }
    // Each phase passes a constant alike: else a constant would become a tone.
    for (let j = 0; j < taps; j++) coefficients[phase * taps + j]! /= sum;
  }
  const phases = { up, down, taps, coefficients };
  designs.set(key, phases);
  return phases;
}

/**
 * One stream from one sampling rate to another: a polyphase windowed sinc, flat to 7/8 of the lower Nyquist frequency and 70 dB
 * down from the Nyquist frequency on. What it remembers goes over the borders of packets, so they are not heard.
 */
export class Resampler {
  /** How much later the output is, in samples of the input. */
  readonly delaySamples: number;
  readonly #phases: Phases;
  /** The last taps - 1 samples of before, then the chunk. */
  readonly #line: Float32Array;
  /** Of the next output: where it lies after the last input sample, in whole samples and in 1/up of one. */
  #ahead = 0;
  #phase = 0;

  constructor(inputRate: number, outputRate: number) {
    this.#phases = phasesFor(inputRate, outputRate);
    this.#line = new Float32Array(this.#phases.taps - 1 + CHUNK);
    this.delaySamples = this.#phases.taps / 2;
  }

  reset(): void {
    this.#line.fill(0);
    this.#ahead = 0;
    this.#phase = 0;
  }

  /** @returns how many samples process will write for the next n */
  outputFor(n: number): number {
    const { up, down } = this.#phases;
    return Math.max(0, Math.ceil(((n - this.#ahead) * up - this.#phase) / down));
  }

  /** @param out has room for outputFor(n) samples @returns how many of them were written */
  process(input: Int16Array, n: number, out: Int16Array): number {
    let written = 0;
    for (let done = 0; done < n; done += CHUNK) {
      written = this.#chunk(input, done, Math.min(CHUNK, n - done), out, written);
    }
    return written;
  }

  #chunk(input: Int16Array, from: number, n: number, out: Int16Array, at: number): number {
    const { up, down, taps, coefficients } = this.#phases;
    const line = this.#line;
    for (let i = 0; i < n; i++) line[taps - 1 + i] = input[from + i]!;
    let ahead = this.#ahead;
    let phase = this.#phase;
    while (ahead < n) {
      let sum = 0;
      const row = phase * taps;
      for (let j = 0; j < taps; j++) sum += line[ahead + j]! * coefficients[row + j]!;
      out[at++] = toSample(sum);
      phase += down;
      while (phase >= up) {
        phase -= up;
        ahead++;
      }
    }
    this.#ahead = ahead - n;
    this.#phase = phase;
    line.copyWithin(0, n, n + taps - 1);
    return at;
  }
}
