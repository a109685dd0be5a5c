import { powerOfSamples, SpeechDetector, type SpeechJudge, SILENCE_POWER } from './speech.ts';
import { VAD_FRAME_TICKS } from './spool-block.ts';
import { FEATURES, VadFeatures } from './vad-features.ts';
import { VAD_WEIGHTS } from './vad-weights.ts';

/** The network is asked for what is 3 dB over the noise. */
const ASKED_OVER_NOISE = 2;
/** What is 7 dB over the level of the music or noise that the network recognised may be a voice over it. */
const VOICE_OVER_KNOWN = 5;
/**
 * That level goes up by 6 % of the way each frame, so that the first word over music has opened the gate before it counts as
 * known, and down by 1 dB a second (50 frames).
 */
const KNOWN_RISE = 0.06;
const KNOWN_FALL = 10 ** (-0.1 / 50);

/** Matrices by rows, with the biases of the rows. */
interface Layer {
  readonly inputs: number;
  readonly width: number;
  readonly weights: Float64Array;
  readonly biases: Float64Array;
}

interface Network {
  /** 2 * width rows each: first the gates', then the values'. The last has one row. */
  readonly layers: readonly Layer[];
}

let network: Network | null = null;

/** Read when the first channel needs it: others who import this folder need not wait. */
function shippedNetwork(): Network {
  if (network !== null) return network;
  const bytes = Uint8Array.from(atob(VAD_WEIGHTS.values), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  let matrix = 0;
  const next = (count: number): Float64Array => {
    const scale = VAD_WEIGHTS.scales[matrix++]! / 2 ** 30;
    return Float64Array.from({ length: count }, () => {
      const value = view.getInt16(at, true) * scale;
      at += 2;
      return value;
    });
  };
  const layers: Layer[] = [];
  let inputs: number = FEATURES;
  for (const width of VAD_WEIGHTS.widths) {
    layers.push({ inputs, width, weights: next(2 * width * inputs), biases: next(2 * width) });
    inputs = width;
  }
  layers.push({ inputs, width: 1, weights: next(inputs), biases: next(1) });
  network = { layers };
  return network;
}

/** A hyperbolic tangent, nearly, by what IEEE 754 rounds alike everywhere. */
function bounded(x: number): number {
  const y = x < -3 ? -3 : x > 3 ? 3 : x;
  const square = y * y;
  return (y * (27 + square)) / (27 + 9 * square);
}

/** One row times a vector, and its bias. Four sums at once: the processor does not wait for one after the other. */
function dot(layer: Layer, row: number, x: Float64Array): number {
  const { weights, inputs } = layer;
  let at = row * inputs;
  let a = layer.biases[row]!;
  let b = 0;
  let c = 0;
  let d = 0;
  // Widths are multiples of four.
  for (let i = 0; i < inputs; i += 4, at += 4) {
    a += weights[at]! * x[i]!;
    b += weights[at + 1]! * x[i + 1]!;
    c += weights[at + 2]! * x[i + 2]!;
    d += weights[at + 3]! * x[i + 3]!;
  }
  return a + b + (c + d);
}

/**
 * By a small network of our own (asr/training/vad), for what energy does not decide: silence and the noise's own level are never
 * speech, and where the network is in doubt energy's answer stands. It knows speech from hold music, tones and
 * noise by how they sound together for a while. About 2 KB a channel, nothing allocated a frame.
 */
export class ModelJudge implements SpeechJudge {
  readonly #energy = new SpeechDetector();
  readonly #features = new VadFeatures();
  readonly #network = shippedNetwork();
  readonly #threshold: number;
  /** Power of what is surely no speech: begins at nothing, so that sound of a new level passes for 200 ms first. */
  #known = 1;
  readonly #memories = VAD_WEIGHTS.widths.map((width) => new Float64Array(width));

  /** @param threshold scores above it are speech, as far as energy goes along; lower errs more towards speech */
  constructor(threshold: number = VAD_WEIGHTS.threshold) {
    this.#threshold = threshold;
  }

  /** Mean square of the last frame's samples. */
  get power(): number {
    return this.#energy.power;
  }

  frame(samples: Int16Array, from: number, to: number): boolean {
    const power = powerOfSamples(samples, from, to);
    const energy = this.#energy.frame(power);
    // A piece of a frame, before a gap: too short to be looked into.
    if (to - from !== VAD_FRAME_TICKS) return energy;
    const over = this.#energy.over;
    this.#known = Math.max(1, this.#known * KNOWN_FALL);
    if (power <= SILENCE_POWER || over <= ASKED_OVER_NOISE) {
      this.#features.pass(samples, from);
      this.#fade();
      return false;
    }
    this.#features.see(samples, from, over);
    if (this.#score() > this.#threshold) return energy;
    const voice = energy && power > this.#known * VOICE_OVER_KNOWN;
    if (power > this.#known) this.#known += (power - this.#known) * KNOWN_RISE;
    return voice;
  }

  /** What the network thinks: above 0 speech, by its own reckoning of likelihood. */
  #score(): number {
    const { layers } = this.#network;
    let x = this.#features.values;
    for (let l = 0; l < this.#memories.length; l++) {
      const layer = layers[l]!;
      const memory = this.#memories[l]!;
      for (let unit = 0; unit < layer.width; unit++) {
        const keep = 0.5 + 0.5 * bounded(dot(layer, unit, x) / 2);
        memory[unit] = keep * memory[unit]! + (1 - keep) * bounded(dot(layer, layer.width + unit, x));
      }
      x = memory;
    }
    return dot(layers[layers.length - 1]!, 0, x);
  }

  #fade(): void {
    for (let l = 0; l < this.#memories.length; l++) {
      const memory = this.#memories[l]!;
      for (let unit = 0; unit < memory.length; unit++) {
        const left = memory[unit]! * VAD_WEIGHTS.fade;
        // Numbers too small to be normal are slow.
        memory[unit] = Math.abs(left) < 1e-9 ? 0 : left;
      }
    }
  }
}
