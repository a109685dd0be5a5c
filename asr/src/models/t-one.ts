import { EarshotError } from '@earshot/contracts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bestTokens } from '../decode/ctc.ts';
import { readTokens } from '../decode/tokens.ts';
import { requireFile } from './folder-files.ts';
import type { ModelDescription, ModelFamily, Recogniser, StepBuffers } from './model.ts';
import { type InferenceSession, Tensor, bindByOrder, invalid, openSession } from './onnx.ts';
import { choiceOr, integerOf, integerOr, textOf } from './settings.ts';

const NETWORK = 'model.onnx';
const SAMPLES_PER_MS = 8;

/**
 * T-one's layout (github.com/voicekit-team/T-one): 8 kHz telephony CTC with ONE flat state tensor, all bound by order.
 * in 0 int32 [N, chunk, 1] PCM · in 1 float16 [N, S] state, zeros at first · out 0 float32 [N, T, V] log-probabilities ·
 * out 1 float16 [N, S] next state.
 *
 * model.json: name, format `t-one`, sampleRate 8000, chunkMs, frameMs, stateDim, vocabulary, blank; and optionally flushMs (420),
 * wordLeadMs (120: a word's first token came 80 to 320 ms, in the median 140 ms, after its first sound, counted from the
 * frame's start, with four synthetic voices), frameDelayMs (0), stateAtGap (`clear` or `keep`).
 *
 * `clear` is the default: the shipped model was trained on single sentences from a cleared state. Of twenty sentences with gaps
 * between them it got 10.0 % of the words wrong with the state cleared, as when each came alone, and 12.2 % with it kept.
 * It also makes a replay from a gap exact. A model trained on whole calls may say `keep`.
 */
export const tOne: ModelFamily = {
  format: 't-one',

  describe(folder, settings): ModelDescription {
    const name = textOf(settings, 'name');
    integerOf(settings, 'sampleRate', 8000, 8000);
    const chunkMs = integerOf(settings, 'chunkMs', 10, 2000);
    const frameMs = integerOf(settings, 'frameMs', 10, 200);
    if (chunkMs % frameMs !== 0) {
      throw new EarshotError('MODEL_INVALID', 'model.json: chunkMs is not a multiple of frameMs');
    }
    const vocabulary = integerOf(settings, 'vocabulary', 2, 65535);
    const stateValues = integerOf(settings, 'stateDim', 1, 10_000_000);
    const tokens = readTokens(readFileSync(requireFile(folder, 'tokens.txt'), 'utf8'));
    if (!tokens.ok) throw new EarshotError('MODEL_INVALID', `tokens.txt: ${tokens.fault}`);
    if (tokens.pieces.length !== vocabulary) {
      throw new EarshotError(
        'MODEL_INVALID',
        `tokens.txt: ${tokens.pieces.length} tokens, but model.json says vocabulary ${vocabulary}`,
      );
    }
    requireFile(folder, NETWORK);
    return {
      name,
      format: 't-one',
      folder,
      timing: {
        chunkSamples: chunkMs * SAMPLES_PER_MS,
        frameSamples: frameMs * SAMPLES_PER_MS,
        flushSamples: integerOr(settings, 'flushMs', 420, 0, 5000) * SAMPLES_PER_MS,
        wordLeadSamples: integerOr(settings, 'wordLeadMs', 120, 0, 1000) * SAMPLES_PER_MS,
        frameDelaySamples: integerOr(settings, 'frameDelayMs', 0, 0, 2000) * SAMPLES_PER_MS,
      },
      framesPerChunk: chunkMs / frameMs,
      pieces: tokens.pieces,
      blank: integerOf(settings, 'blank', 0, vocabulary - 1),
      stateValues,
      stateBytesPerChannel: stateValues * 2,
      clearAtGap: choiceOr(settings, 'stateAtGap', 'clear', ['clear', 'keep']) === 'clear',
    };
  },

  async load(description, maxChannels, sizes): Promise<Recogniser> {
    const session = await openSession(join(description.folder, NETWORK), NETWORK);
    const { chunkSamples } = description.timing;
    const { framesPerChunk, stateValues, pieces } = description;
    const inputs = bindByOrder(NETWORK, 'input', session.inputMetadata, [
      { role: 'signal', type: 'int32', shape: [null, chunkSamples, 1] },
      { role: 'state', type: 'float16', shape: [null, stateValues] },
    ]);
    const outputs = bindByOrder(NETWORK, 'output', session.outputMetadata, [
      { role: 'log-probabilities', type: 'float32', shape: [null, framesPerChunk, pieces.length] },
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
  /** The states of all channels, [maxChannels, S], as float16 bits; memory is taken as rows are used. */
  readonly #arena: Uint16Array;
  readonly #signal: Int32Array;
  readonly #state: Uint16Array;
  readonly #logprobs: Float32Array;
  readonly #nextState: Uint16Array;

  constructor(
    session: InferenceSession,
    inputs: readonly string[],
    outputs: readonly string[],
    description: ModelDescription,
    maxChannels: number,
    sizes: readonly number[],
  ) {
    const { framesPerChunk: frames, stateValues, pieces, timing } = description;
    const most = Math.max(1, ...sizes);
    const perRow = frames * pieces.length;
    this.#session = session;
    this.#description = description;
    this.#arena = new Uint16Array(Math.max(maxChannels, most) * stateValues);
    this.#signal = new Int32Array(most * timing.chunkSamples);
    this.#state = new Uint16Array(most * stateValues);
    this.#logprobs = new Float32Array(most * perRow);
    this.#nextState = new Uint16Array(most * stateValues);
    for (const n of new Set([1, ...sizes])) {
      const signal = this.#signal.subarray(0, n * timing.chunkSamples);
      const state = this.#state.subarray(0, n * stateValues);
      const nextState = this.#nextState.subarray(0, n * stateValues);
      const logprobs = this.#logprobs.subarray(0, n * perRow);
      this.#batches.set(n, {
        feeds: {
          [inputs[0]!]: new Tensor('int32', signal, [n, timing.chunkSamples, 1]),
          [inputs[1]!]: new Tensor('float16', state, [n, stateValues]),
        },
        // Preallocated outputs save 15 to 20 %.
        fetches: {
          [outputs[0]!]: new Tensor('float32', logprobs, [n, frames, pieces.length]),
          [outputs[1]!]: new Tensor('float16', nextState, [n, stateValues]),
        },
      });
    }
  }

  async probe(): Promise<void> {
    try {
      await this.#run(1);
    } catch (error) {
      throw invalid(
        NETWORK,
        `does not run with a chunk of ${this.#description.timing.chunkSamples} samples giving ` +
          `${this.#description.framesPerChunk} frames and ${this.#description.stateValues} values of state: ` +
          (error as Error).message,
      );
    }
  }

  async step(buffers: StepBuffers, rows: number, size: number): Promise<void> {
    const { stateValues, framesPerChunk, timing, pieces } = this.#description;
    const used = rows * timing.chunkSamples;
    this.#signal.set(buffers.pcm.subarray(0, used));
    this.#signal.fill(0, used, size * timing.chunkSamples);
    for (let row = 0; row < rows; row++) {
      const at = row * stateValues;
      const from = buffers.channels[row]! * stateValues;
      if (buffers.fresh[row] === 1) this.#state.fill(0, at, at + stateValues);
      else this.#state.set(this.#arena.subarray(from, from + stateValues), at);
    }
    this.#state.fill(0, rows * stateValues, size * stateValues);
    await this.#run(size);
    for (let row = 0; row < rows; row++) {
      const at = row * stateValues;
      this.#arena.set(this.#nextState.subarray(at, at + stateValues), buffers.channels[row]! * stateValues);
      if (buffers.full[row] === 1) {
        const values = framesPerChunk * pieces.length;
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
