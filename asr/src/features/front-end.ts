import { FRAME_LENGTH, FRAME_SHIFT, Fbank, type FeatureKind, SILENCE } from './fbank.ts';
import { REACH, upsample } from './upsample.ts';

/** Samples at 8 kHz between two frames of features. */
export const FRAME_TICKS = FRAME_SHIFT / 2;
/** With snip_edges off, Kaldi's frame f begins this many samples (16 kHz) before f × FRAME_SHIFT. */
const EDGE = (FRAME_LENGTH - FRAME_SHIFT) / 2;
/** Input samples (8 kHz) from before a step that its first frame needs. */
const HISTORY = FRAME_TICKS + EDGE / 2 + REACH;
const FULL_SCALE = 32768;

export interface FrontEndOptions {
  readonly kind: FeatureKind;
  readonly bins: number;
  /** Frames that a step takes the channel on. */
  readonly shiftFrames: number;
  /** Frames that a step shows the network: shiftFrames, and those before that it wants to see again. */
  readonly windowFrames: number;
  readonly maxChannels: number;
}

/**
 * From each channel's 8 kHz PCM to windows of features, a step at a time.
 *
 * A step of shiftFrames × 10 ms of audio shows the network windowFrames frames, the newest of which needs audio after its
 * own time. So that every step has its window at once, a channel begins with `leadSamples` of silence before its audio:
 * frames lag the audio by that much and none is missing at the beginning. Fed the same silence first, sherpa-onnx makes
 * the same frames.
 */
export class FrontEnd {
  readonly #options: FrontEndOptions;
  readonly #fbank: Fbank;
  /** The newest HISTORY samples of each channel. */
  readonly #history: Int16Array;
  /** The newest windowFrames - shiftFrames frames of each channel. */
  readonly #tail: Float32Array;
  readonly #input: Float64Array;
  readonly #doubled: Float64Array;

  constructor(options: FrontEndOptions) {
    const { kind, bins, shiftFrames, windowFrames, maxChannels } = options;
    this.#options = options;
    this.#fbank = new Fbank(kind, bins);
    this.#history = new Int16Array(maxChannels * HISTORY);
    this.#tail = new Float32Array(maxChannels * (windowFrames - shiftFrames) * bins);
    this.#input = new Float64Array(HISTORY + shiftFrames * FRAME_TICKS);
    this.#doubled = new Float64Array((shiftFrames - 1) * FRAME_SHIFT + FRAME_LENGTH);
  }

  /** Bytes that one channel takes. */
  static bytesPerChannel({
    bins,
    shiftFrames,
    windowFrames,
  }: Pick<FrontEndOptions, 'bins' | 'shiftFrames' | 'windowFrames'>): number {
    return 2 * HISTORY + 4 * (windowFrames - shiftFrames) * bins;
  }

  /**
   * One channel's step.
   * @param fresh the channel begins here: silence before
   * @param pcm shiftFrames × FRAME_TICKS samples from `from` on
   * @param output receives [windowFrames, bins] from `to` on
   */
  step(
    channel: number,
    fresh: boolean,
    pcm: Int16Array,
    from: number,
    output: Float32Array,
    to: number,
  ): void {
    const { bins, shiftFrames, windowFrames } = this.#options;
    const input = this.#input;
    const chunk = shiftFrames * FRAME_TICKS;
    const historyAt = channel * HISTORY;
    for (let i = 0; i < HISTORY; i++) input[i] = fresh ? 0 : this.#history[historyAt + i]! / FULL_SCALE;
    for (let i = 0; i < chunk; i++) input[HISTORY + i] = pcm[from + i]! / FULL_SCALE;
    if (chunk >= HISTORY) {
      for (let i = 0; i < HISTORY; i++) this.#history[historyAt + i] = pcm[from + chunk - HISTORY + i]!;
    } else {
      for (let i = 0; i < HISTORY; i++) this.#history[historyAt + i] = input[chunk + i]! * FULL_SCALE;
    }
    upsample(input, REACH, this.#doubled.length / 2, this.#doubled);

    const kept = (windowFrames - shiftFrames) * bins;
    const tailAt = channel * kept;
    if (fresh) output.fill(SILENCE, to, to + kept);
    else for (let i = 0; i < kept; i++) output[to + i] = this.#tail[tailAt + i]!;
    for (let frame = 0; frame < shiftFrames; frame++) {
      this.#fbank.compute(this.#doubled, frame * FRAME_SHIFT, output, to + kept + frame * bins);
    }
    const newest = to + shiftFrames * bins;
    for (let i = 0; i < kept; i++) this.#tail[tailAt + i] = output[newest + i]!;
  }
}

/** Silence (8 kHz samples) before a channel's first audio; by this much frames lag the audio. */
export const leadSamples = (windowFrames: number, shiftFrames: number): number =>
  (windowFrames - shiftFrames + 1) * FRAME_TICKS;
