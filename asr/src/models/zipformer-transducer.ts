import { leadSamples } from '../features/front-end.ts';
import { BatchNetwork } from './batch-network.ts';
import { ChunkEncoder, type EncoderLayout } from './chunk-encoder.ts';
import { describeChunked } from './describe.ts';
import { type NetworkFiles, chooseNetworks, readNetwork } from './folder-files.ts';
import { largest, logProbabilityOfTop } from './greedy.ts';
import type { ModelDescription, ModelFamily, Recogniser, Settings, StepBuffers } from './model.ts';
import { invalid } from './onnx.ts';
import { Vocabulary } from './vocabulary.ts';
import { zipformer1Layout, zipformer2Layout } from './zipformer2.ts';

/** icefall's transducers: the blank is always token 0. */
const BLANK = 0;

/** What an icefall transducer's three files say together. */
interface Transducer {
  readonly layout: EncoderLayout;
  readonly tokens: number;
  readonly contextSize: number;
  readonly joinerDim: number;
}

type TransducerFiles = Extract<NetworkFiles, { encoder: string }>;

/** The streaming Zipformer2 transducer (icefall's zipformer/export-onnx-streaming.py). */
export const zipformer2Transducer = icefallFamily('zipformer2-transducer', 'zipformer2', zipformer2Layout);

/** The streaming transducer of the older Zipformer (pruned_transducer_stateless7_streaming/export-onnx.py). */
export const zipformerTransducer = icefallFamily('zipformer-transducer', 'zipformer', zipformer1Layout);

function icefallFamily(format: string, modelType: string, layoutOf: typeof zipformer2Layout): ModelFamily {
  const read = (folder: string, files: TransducerFiles): Transducer => {
    const encoder = readNetwork(folder, files.encoder);
    const decoder = readNetwork(folder, files.decoder);
    const joiner = readNetwork(folder, files.joiner);
    const joinerDim = joiner.meta.integer('joiner_dim', 1, 8192);
    return {
      layout: layoutOf(files.encoder, encoder, 'encoder_out', joinerDim),
      tokens: decoder.meta.integer('vocab_size', 2, 65535),
      contextSize: decoder.meta.integer('context_size', 1, 16),
      joinerDim,
    };
  };
  return {
    format,
    recognises: ({ transducer, metadata }) => transducer && metadata.get('model_type') === modelType,

    describe(folder, settings): ModelDescription {
      const files = transducerFiles(folder, settings);
      const model = read(folder, files);
      const vocabulary = new Vocabulary(folder);
      vocabulary.expect(model.tokens, `${files.decoder}'s metadata vocab_size`);
      const { layout, joinerDim, contextSize } = model;
      return describeChunked({
        format,
        folder,
        files,
        settings,
        layout,
        vocabulary,
        framesPerChunk: layout.result[0]!,
        blank: BLANK,
        repeats: 'each',
        extraBytes: 4 * joinerDim + 4 * contextSize,
        frameDelaySamples: leadSamples(layout.windowFrames, layout.shiftFrames),
      });
    },

    async load(description, maxChannels, sizes): Promise<Recogniser> {
      const { folder } = description;
      const files = description.files as TransducerFiles;
      const model = read(folder, files);
      const { joinerDim, contextSize, tokens } = model;
      const encoder = await ChunkEncoder.open(folder, files.encoder, model.layout, maxChannels, sizes);
      const decoder = await BatchNetwork.open(
        folder,
        files.decoder,
        [{ role: 'y', type: 'int64', after: [contextSize] }],
        [{ role: 'decoder_out', type: 'float32', after: [joinerDim] }],
        sizes,
      );
      const joiner = await BatchNetwork.open(
        folder,
        files.joiner,
        [
          { role: 'encoder_out', type: 'float32', after: [joinerDim] },
          { role: 'decoder_out', type: 'float32', after: [joinerDim] },
        ],
        [{ role: 'logit', type: 'float32', after: [tokens] }],
        sizes,
      );
      const unknown = new Vocabulary(folder).idOf('<unk>');
      const rows = Math.max(maxChannels, ...sizes);
      const recogniser = new IcefallRecogniser(encoder, decoder, joiner, model, unknown, rows);
      await recogniser.begin();
      return recogniser;
    },
  };
}

/** @throws EarshotError MODEL_INVALID when the folder holds no transducer */
export function transducerFiles(folder: string, settings: Settings): TransducerFiles {
  const files = chooseNetworks(folder, settings);
  if ('encoder' in files) return files;
  throw invalid(files.model, 'is one network, and the format is that of a transducer');
}

/**
 * Greedy search as sherpa-onnx does it: at most one token a frame, `<unk>` counts as blank, the predictor sees the last
 * tokens (before the first, [-1, …, 0]). The joiner runs once a frame for the whole batch, the decoder for the rows that emitted.
 */
class IcefallRecogniser implements Recogniser {
  readonly #encoder: ChunkEncoder;
  readonly #decoder: BatchNetwork;
  readonly #joiner: BatchNetwork;
  readonly #model: Transducer;
  readonly #frames: number;
  readonly #unknown: number | null;
  /** [channels, contextSize] the last tokens of each channel. */
  readonly #contexts: Int32Array;
  /** [channels, joinerDim] what the decoder makes of them. */
  readonly #decoded: Float32Array;
  readonly #firstDecoded: Float32Array;
  /** Rows that emitted in the current frame. */
  readonly #emitted: Int32Array;

  constructor(
    encoder: ChunkEncoder,
    decoder: BatchNetwork,
    joiner: BatchNetwork,
    model: Transducer,
    unknown: number | null,
    channels: number,
  ) {
    this.#encoder = encoder;
    this.#decoder = decoder;
    this.#joiner = joiner;
    this.#model = model;
    this.#frames = model.layout.result[0]!;
    this.#unknown = unknown;
    this.#contexts = new Int32Array(channels * model.contextSize);
    this.#decoded = new Float32Array(channels * model.joinerDim);
    this.#firstDecoded = new Float32Array(model.joinerDim);
    this.#emitted = new Int32Array(channels);
  }

  /** Runs the decoder on the context that every channel begins with. */
  async begin(): Promise<void> {
    const { contextSize, joinerDim } = this.#model;
    const y = this.#decoder.longInput(0);
    for (let i = 0; i < contextSize; i++) y[i] = BigInt(i === contextSize - 1 ? BLANK : -1);
    await this.#decoder.run(1);
    this.#firstDecoded.set(this.#decoder.output(0).subarray(0, joinerDim));
  }

  async step(buffers: StepBuffers, rows: number, size: number): Promise<void> {
    const { joinerDim, tokens } = this.#model;
    const frames = this.#frames;
    await this.#encoder.step(buffers, rows, size);
    this.#gather(buffers, rows);
    const encoded = this.#joiner.floatInput(0);
    const predicted = this.#joiner.floatInput(1);
    const logits = this.#joiner.output(0);
    for (let frame = 0; frame < frames; frame++) {
      for (let row = 0; row < rows; row++) {
        const from = (row * frames + frame) * joinerDim;
        encoded.set(this.#encoder.result.subarray(from, from + joinerDim), row * joinerDim);
      }
      await this.#joiner.run(size);
      let emitted = 0;
      for (let row = 0; row < rows; row++) {
        const at = row * tokens;
        const id = largest(logits, at, tokens);
        const isToken = id !== BLANK && id !== this.#unknown;
        buffers.ids[row * frames + frame] = isToken ? id : BLANK;
        buffers.best[row * frames + frame] = isToken
          ? logProbabilityOfTop(logits, at, tokens, logits[at + id]!)
          : 0;
        if (!isToken) continue;
        this.#remember(buffers.channels[row]!, id);
        this.#emitted[emitted++] = row;
      }
      if (emitted > 0) await this.#predict(buffers, emitted, predicted);
    }
  }

  /** Puts the rows' decoder outputs where the joiner takes them. */
  #gather(buffers: StepBuffers, rows: number): void {
    const { contextSize, joinerDim } = this.#model;
    const predicted = this.#joiner.floatInput(1);
    for (let row = 0; row < rows; row++) {
      const channel = buffers.channels[row]!;
      const at = channel * joinerDim;
      if (buffers.fresh[row] === 1) {
        const context = channel * contextSize;
        this.#contexts.fill(-1, context, context + contextSize);
        this.#contexts[context + contextSize - 1] = BLANK;
        this.#decoded.set(this.#firstDecoded, at);
      }
      predicted.set(this.#decoded.subarray(at, at + joinerDim), row * joinerDim);
    }
  }

  #remember(channel: number, id: number): void {
    const { contextSize } = this.#model;
    const at = channel * contextSize;
    this.#contexts.copyWithin(at, at + 1, at + contextSize);
    this.#contexts[at + contextSize - 1] = id;
  }

  /** Runs the decoder for the first `count` of the rows that emitted. */
  async #predict(buffers: StepBuffers, count: number, predicted: Float32Array): Promise<void> {
    const { contextSize, joinerDim } = this.#model;
    const y = this.#decoder.longInput(0);
    const output = this.#decoder.output(0);
    const size = this.#decoder.sizeFor(count);
    for (let i = 0; i < size; i++) {
      // Rows beyond the count repeat the last one.
      const row = this.#emitted[Math.min(i, count - 1)]!;
      const context = buffers.channels[row]! * contextSize;
      for (let k = 0; k < contextSize; k++) y[i * contextSize + k] = BigInt(this.#contexts[context + k]!);
    }
    await this.#decoder.run(size);
    for (let i = 0; i < count; i++) {
      const row = this.#emitted[i]!;
      const values = output.subarray(i * joinerDim, (i + 1) * joinerDim);
      predicted.set(values, row * joinerDim);
      this.#decoded.set(values, buffers.channels[row]! * joinerDim);
    }
  }
}
