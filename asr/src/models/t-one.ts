import { join } from 'node:path';
import { EarshotError } from '@earshot/contracts';
import { bestTokens } from '../decode/ctc.ts';
import { HOLD_TICKS } from '../decode/timing.ts';
import { commonDescription } from './describe.ts';
import { chooseNetworks, readNetwork } from './folder-files.ts';
import { halfToFloat } from './half.ts';
import type { ModelDescription, ModelFamily, Recogniser, StepBuffers } from './model.ts';
import {
  type BoundTensor,
  type InferenceSession,
  Tensor,
  bindByOrder,
  invalid,
  openSession,
} from './onnx.ts';
import { integerOf, integerOr } from './settings.ts';
import { StateArena } from './state-arena.ts';
import { Vocabulary } from './vocabulary.ts';

const SAMPLES_PER_MS = 8;
/** What a folder without model.json gets: the published T-one's frames, and its tokens' delay behind their sound. */
const PUBLISHED = { frameMs: 30, frameDelayMs: 330, flushMs: 750 } as const;

/**
 * T-one's layout (github.com/voicekit-team/T-one): 8 kHz telephony CTC with ONE flat state tensor, all bound by order.
 * in 0 int32 [N, chunk, 1] PCM · in 1 float16 [N, S] state, zeros at first · out 0 float32 or float16 [N, T, V]
 * log-probabilities · out 1 float16 [N, S] next state.
 *
 * model.json: name, chunkMs, frameMs, stateDim, vocabulary, blank; and optionally flushMs (420), wordLeadMs (120: a word's
 * first token came 80 to 320 ms, in the median 140 ms, after its first sound, counted from the frame's start, with four
 * synthetic voices), frameDelayMs (0), stateAtGap (`clear` or `keep`). What is left out is taken from the network's metadata
 * (frame_length_ms, state_dim, sample_rate, as sherpa-onnx adds them to the published model), its output's shape and
 * tokens.txt.
 *
 * `clear` is the default: the shipped model was trained on single sentences from a cleared state. Of twenty sentences with gaps
 * between them it got 10.0 % of the words wrong with the state cleared, as when each came alone, and 12.2 % with it kept.
 * It also makes a replay from a gap exact. A model trained on whole calls may say `keep`.
 */
export const tOne: ModelFamily = {
  format: 't-one',
  recognises: ({ transducer, metadata }) => !transducer && metadata.has('frame_length_ms'),

  describe(folder, settings): ModelDescription {
    const files = chooseNetworks(folder, settings);
    if (!('model' in files))
      throw invalid(files.encoder, 'is the encoder of a transducer, not a T-one model');
    const { meta, outputs } = readNetwork(folder, files.model);
    const vocabulary = new Vocabulary(folder);
    if (settings['sampleRate'] === undefined) meta.integerOr('sample_rate', 8000, 8000, 8000);
    else integerOf(settings, 'sampleRate', 8000, 8000);
    const chunkMs =
      settings['chunkMs'] === undefined
        ? meta.integer('frame_length_ms', 10, 2000)
        : integerOf(settings, 'chunkMs', 10, 2000);
    const own = outputs[0]?.shape[1];
    const ownFrameMs = typeof own === 'number' && own > 0 ? chunkMs / own : PUBLISHED.frameMs;
    const frameMs = settings['frameMs'] === undefined ? ownFrameMs : integerOf(settings, 'frameMs', 10, 200);
    if (chunkMs % frameMs !== 0) {
      throw new EarshotError('MODEL_INVALID', 'model.json: chunkMs is not a multiple of frameMs');
    }
    if (settings['vocabulary'] !== undefined) {
      vocabulary.expect(integerOf(settings, 'vocabulary', 2, 65535), 'model.json');
    }
    const stateValues =
      settings['stateDim'] === undefined
        ? meta.integer('state_dim', 1, 10_000_000)
        : integerOf(settings, 'stateDim', 1, 10_000_000);
    const published = settings['chunkMs'] === undefined && settings['frameMs'] === undefined;
    const orPublished = (value: number, or: number): number => (published ? value : or);
    return {
      ...commonDescription(folder, settings, vocabulary, 'clear'),
      format: 't-one',
      files: { ...files },
      timing: {
        chunkSamples: chunkMs * SAMPLES_PER_MS,
        frameSamples: frameMs * SAMPLES_PER_MS,
        flushSamples:
          integerOr(settings, 'flushMs', orPublished(PUBLISHED.flushMs, 420), 0, 5000) * SAMPLES_PER_MS,
        wordLeadSamples: integerOr(settings, 'wordLeadMs', 120, 0, 1000) * SAMPLES_PER_MS,
        wordTailSamples: integerOr(settings, 'wordTailMs', 0, -1000, 1000) * SAMPLES_PER_MS,
        wordHoldSamples:
          integerOr(settings, 'wordHoldMs', HOLD_TICKS / SAMPLES_PER_MS, 0, 2000) * SAMPLES_PER_MS,
        frameDelaySamples:
          integerOr(settings, 'frameDelayMs', orPublished(PUBLISHED.frameDelayMs, 0), 0, 2000) *
          SAMPLES_PER_MS,
      },
      framesPerChunk: chunkMs / frameMs,
      blank:
        settings['blank'] === undefined
          ? vocabulary.blank()
          : integerOf(settings, 'blank', 0, vocabulary.symbols.length - 1),
      repeats: 'ctc',
      features: null,
      stateValues,
      stateBytesPerChannel: stateValues * 2,
    };
  },

  async load(description, maxChannels, sizes): Promise<Recogniser> {
    const file = description.files['model']!;
    const session = await openSession(join(description.folder, file), file);
    const { chunkSamples } = description.timing;
    const { framesPerChunk, stateValues, pieces } = description;
    const inputs = bindByOrder(file, 'input', session.inputMetadata, [
      { role: 'signal', type: 'int32', shape: [null, chunkSamples, 1] },
      { role: 'state', type: 'float16', shape: [null, stateValues] },
    ]);
    const scores = session.outputMetadata[0];
    const half = scores?.isTensor === true && scores.type === 'float16';
    const outputs = bindByOrder(file, 'output', session.outputMetadata, [
      {
        role: 'log-probabilities',
        type: half ? 'float16' : 'float32',
        shape: [null, framesPerChunk, pieces.length],
      },
      { role: 'next state', type: 'float16', shape: [null, stateValues] },
    ]);
    const recogniser = new TOneRecogniser(session, inputs, outputs, description, maxChannels, sizes);
    // Shapes that the file leaves open show themselves in a first step.
    await recogniser.probe();
    return recogniser;
  },
};

/** The tensors of one batch size, over the same memory as those of the others. */
interface Batch {
  readonly feeds: InferenceSession.FeedsType;
  readonly fetches: InferenceSession.FetchesType;
}

class TOneRecogniser implements Recogniser {
  readonly #session: InferenceSession;
  readonly #description: ModelDescription;
  readonly #batches = new Map<number, Batch>();
  readonly #arena: StateArena;
  readonly #signal: Int32Array;
  readonly #logprobs: Float32Array;
  /** The same as the network gives them, if it gives halves. */
  readonly #halves: Uint16Array | null;

  constructor(
    session: InferenceSession,
    inputs: readonly BoundTensor[],
    outputs: readonly BoundTensor[],
    description: ModelDescription,
    maxChannels: number,
    sizes: readonly number[],
  ) {
    const { framesPerChunk: frames, stateValues, pieces, timing } = description;
    const most = Math.max(1, ...sizes);
    const perRow = frames * pieces.length;
    this.#session = session;
    this.#description = description;
    this.#arena = new StateArena(
      [{ role: 'state', type: 'float16', before: [], after: [stateValues] }],
      maxChannels,
      most,
    );
    this.#signal = new Int32Array(most * timing.chunkSamples);
    this.#logprobs = new Float32Array(most * perRow);
    this.#halves = outputs[0]!.type === 'float16' ? new Uint16Array(most * perRow) : null;
    for (const n of new Set([1, ...sizes])) {
      const signal = this.#signal.subarray(0, n * timing.chunkSamples);
      const states = this.#arena.tensors(n);
      const shape = [n, frames, pieces.length];
      const scores =
        this.#halves === null
          ? new Tensor('float32', this.#logprobs.subarray(0, n * perRow), shape)
          : new Tensor('float16', this.#halves.subarray(0, n * perRow), shape);
      this.#batches.set(n, {
        feeds: {
          [inputs[0]!.name]: new Tensor('int32', signal, [n, timing.chunkSamples, 1]),
          [inputs[1]!.name]: states.inputs[0]!,
        },
        // Preallocated outputs save 15 to 20 %.
        fetches: { [outputs[0]!.name]: scores, [outputs[1]!.name]: states.outputs[0]! },
      });
    }
  }

  async probe(): Promise<void> {
    try {
      await this.#run(1);
    } catch (error) {
      throw invalid(
        this.#description.files['model']!,
        `does not run with a chunk of ${this.#description.timing.chunkSamples} samples giving ` +
          `${this.#description.framesPerChunk} frames and ${this.#description.stateValues} values of state: ` +
          (error as Error).message,
      );
    }
  }

  async step(buffers: StepBuffers, rows: number, size: number): Promise<void> {
    const { framesPerChunk, timing, pieces } = this.#description;
    const used = rows * timing.chunkSamples;
    const values = framesPerChunk * pieces.length;
    this.#signal.set(buffers.pcm.subarray(0, used));
    this.#signal.fill(0, used, size * timing.chunkSamples);
    this.#arena.gather(buffers.channels, buffers.fresh, rows, size);
    await this.#run(size);
    this.#arena.scatter(buffers.channels, rows, size);
    if (this.#halves !== null) halfToFloat(this.#halves, this.#logprobs, rows * values);
    for (let row = 0; row < rows; row++) {
      if (buffers.full[row] === 1) {
        buffers.logprobs.set(this.#logprobs.subarray(row * values, (row + 1) * values), row * values);
      }
    }
    bestTokens(this.#logprobs, 0, rows * framesPerChunk, pieces.length, buffers.ids, buffers.best, 0);
  }

  async #run(size: number): Promise<void> {
    const batch = this.#batches.get(size);
    if (batch === undefined) throw new RangeError(`no batch of ${size}`);
    await this.#session.run(batch.feeds, batch.fetches);
  }
}
