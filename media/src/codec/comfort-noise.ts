import { toSample } from '../dsp/fir.ts';

/** Reflection coefficients that are used; a payload may have more (RFC 3389, section 3.2: any order). */
const MAX_ORDER = 24;
/** No filter rings longer than with this reflection; 1 would not be stable. */
const MAX_REFLECTION = 0.99;
/** A coefficient with this value has no meaning yet. */
const RESERVED = 255;
/** The amplitude of a full-scale square wave: 0 dBov (RFC 3389, section 3.1). */
const OVERLOAD = 32767;
/** Variance of the generator's uniform numbers, -1 … 1, is a third. */
const UNIFORM_GAIN = Math.sqrt(3);
/** Time constant with which the level goes to a new one, so that no step is heard. */
const SMOOTHING_MS = 5;
/** By sample, at 8 kHz. */
const SMOOTHING = 1 - Math.exp(-1 / (SMOOTHING_MS * 8));
const SEED = 0x2545f491;

/**
 * Comfort noise (RFC 3389; payload type 13, or the older 19): background noise as a level and an optional spectral shape. The noise
 * is made of a fixed pseudo-random sequence, so that the same packets give the same samples.
 */
export class ComfortNoise {
  /** Level of the newest payload in dBov, -127 … 0; -Infinity before the first. */
  levelDbov = -Infinity;
  /** Reflection coefficients of the newest payload, and the lattice filter's memory. */
  readonly #reflections = new Float64Array(MAX_ORDER);
  readonly #memory = new Float64Array(MAX_ORDER);
  #order = 0;
  /** Amplitude of the white noise that the filter makes one of unit power from. */
  #excitation = 0;
  #gain = 0;
  #targetGain = 0;
  #random = SEED;

  reset(): void {
    this.levelDbov = -Infinity;
    this.#order = this.#excitation = this.#gain = this.#targetGain = 0;
    this.#memory.fill(0);
    this.#random = SEED;
  }

  /**
   * Takes the payload bytes[start..end): a level byte, then reflection coefficients.
   * A reserved coefficient and those after it are left out.
   * @returns false when it has no level, and then nothing changed
   */
  parse(bytes: Uint8Array, start: number, end: number): boolean {
    if (end <= start || bytes[start]! > 127) return false;
    const most = Math.min(MAX_ORDER, end - start - 1);
    let power = 1;
    let order = 0;
    for (; order < most && bytes[start + 1 + order] !== RESERVED; order++) {
      // Section 3.2: k = 258 (N - 127) / 32768.
      const k = (258 * (bytes[start + 1 + order]! - 127)) / 32768;
      const reflection = Math.max(-MAX_REFLECTION, Math.min(MAX_REFLECTION, k));
      this.#reflections[order] = reflection;
      power *= 1 - reflection * reflection;
    }
    this.#order = order;
    // What another spectrum left there could ring loudly in this one.
    this.#memory.fill(0);
    // An all-pole lattice makes noise more powerful by the inverse of the product of 1 - k².
    this.#excitation = UNIFORM_GAIN * Math.sqrt(power);
    this.levelDbov = bytes[start] === 0 ? 0 : -bytes[start]!;
    this.#targetGain = OVERLOAD * 10 ** (this.levelDbov / 20);
    return true;
  }

  /** Makes the next out[0..samples); silence before the first payload. */
  generate(out: Int16Array, samples: number): void {
    for (let i = 0; i < samples; i++) {
      this.#gain += (this.#targetGain - this.#gain) * SMOOTHING;
      out[i] = toSample(this.#gain * this.#shape(this.#excitation * this.#uniform()));
    }
  }

  /** The all-pole lattice (RFC 3389, section 3.3 leaves the synthesis open): memory[i] is the backward signal of stage i. */
  #shape(excitation: number): number {
    const memory = this.#memory;
    let forward = excitation;
    for (let i = this.#order - 1; i >= 0; i--) {
      const reflection = this.#reflections[i]!;
      forward -= reflection * memory[i]!;
      if (i + 1 < this.#order) memory[i + 1] = memory[i]! + reflection * forward;
    }
    if (this.#order > 0) memory[0] = forward;
    return forward;
  }

  /** Marsaglia's xorshift. @returns -1 … 1 */
  #uniform(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return x / 2 ** 31;
  }
}
