import { FRAME_TICKS } from '../features/front-end.ts';
import { BatchNetwork } from './batch-network.ts';
import { ChunkEncoder, type EncoderLayout } from './chunk-encoder.ts';
import { describeChunked } from './describe.ts';
import { type NetworkFiles, readNetwork } from './folder-files.ts';
import { largest, logProbabilityOfTop } from './greedy.ts';
import type { ModelDescription, ModelFamily, Recogniser, Settings, StepBuffers } from './model.ts';
import { nemoLayout, nemoVocabulary } from './nemo.ts';
import { invalid } from './onnx.ts';
import { Vocabulary } from './vocabulary.ts';
import { transducerFiles } from './zipformer-transducer.ts';

/** Tokens that a frame of 80 ms may bring, as in sherpa-onnx. Each has a slot of its own: a tenth of the frame. */
const SLOTS = 10;

type TransducerFiles = Extract<NetworkFiles, { encoder: string }>;

interface Transducer {
  readonly layout: EncoderLayout;
  readonly frames: number;
  readonly tokens: number;
  readonly layers: number;
  readonly hidden: number;
}

function read(folder: string, files: TransducerFiles, settings: Settings): Transducer {
  const encoder = readNetwork(folder, files.encoder);
  const { meta } = encoder;
  const layout = nemoLayout(files.encoder, encoder, settings, 'outputs', (frames) => [null, frames]);
  return {
    layout,
    frames: layout.frames,
    tokens: nemoVocabulary(meta),
    layers: meta.integer('pred_rnn_layers', 1, 16),
    hidden: meta.integer('pred_hidden', 1, 8192),
  };
}

/** NeMo's cache-aware FastConformer with a transducer head (sherpa-onnx's export-onnx-transducer.py). */
export const nemoTransducer: ModelFamily = {
  format: 'nemo-transducer',
  recognises: ({ transducer, metadata }) => transducer && metadata.has('cache_last_channel_dim1'),

  describe(folder, settings): ModelDescription {
    const files = transducerFiles(folder, settings);
    const model = read(folder, files, settings);
    const vocabulary = new Vocabulary(folder);
    vocabulary.expect(model.tokens, `${files.encoder}'s metadata vocab_size, with the blank,`);
    const blank = vocabulary.idOf('<blk>');
    if (blank !== model.tokens - 1) throw invalid('tokens.txt', '<blk> is not the last token');
    return describeChunked({
      format: this.format,
      folder,
      files,
      settings,
      layout: model.layout,
      vocabulary,
      framesPerChunk: model.frames * SLOTS,
      blank,
      repeats: 'each',
      extraBytes: 4 * model.hidden * (1 + 2 * model.layers),
      // The frames of a step show its newest mel frames: those before are there to be seen again.
      frameDelaySamples: FRAME_TICKS,
    });
  },

  async load(description, maxChannels, sizes): Promise<Recogniser> {
    const { folder } = description;
    const files = description.files as TransducerFiles;
    const model = read(folder, files, { features: description.features });
    const { layers, hidden, tokens } = model;
    const encoder = await ChunkEncoder.open(folder, files.encoder, model.layout, maxChannels, sizes);
    const state = (role: string) => ({ role, type: 'float32', before: [layers], after: [hidden] }) as const;
    const decoder = await BatchNetwork.open(
      folder,
      files.decoder,
      [
        { role: 'targets', type: 'int32', after: [1] },
        { role: 'target_length', type: 'int32', after: [] },
        state('hidden state'),
        state('cell state'),
      ],
      [
        { role: 'outputs', type: 'float32', after: [hidden, 1] },
        null,
        state('next hidden state'),
        state('next cell state'),
      ],
      sizes,
    );
    const joiner = await BatchNetwork.open(
      folder,
      files.joiner,
      [
        { role: 'encoder_outputs', type: 'float32', after: [encoder.resultShape[0]!, 1] },
        { role: 'decoder_outputs', type: 'float32', after: [hidden, 1] },
      ],
      [{ role: 'outputs', type: 'float32', after: [1, 1, tokens] }],
      sizes,
    );
    const rows = Math.max(maxChannels, ...sizes);
    const recogniser = new NemoRecogniser(encoder, decoder, joiner, model, rows);
    await recogniser.begin();
    return recogniser;
  },
};

/**
 * Greedy search as sherpa-onnx does it: up to SLOTS tokens a frame, each of which takes the predictor (an LSTM) on. Batched:
 * all rows of a frame go through the joiner together, then those that emitted once more.
 */
class NemoRecogniser implements Recogniser {
  readonly #encoder: ChunkEncoder;
  readonly #decoder: BatchNetwork;
  readonly #joiner: BatchNetwork;
  readonly #model: Transducer;
  readonly #blank: number;
  readonly #width: number;
  /** A predictor's record: its output, then hidden and cell state of each layer. */
  readonly #recordValues: number;
  readonly #records: Float32Array;
  readonly #first: Float32Array;
  /** Rows that go on in the current frame, and the tokens that they emitted. */
  readonly #active: Int32Array;
  readonly #tokens: Int32Array;

  constructor(
    encoder: ChunkEncoder,
    decoder: BatchNetwork,
    joiner: BatchNetwork,
    model: Transducer,
    channels: number,
  ) {
    this.#encoder = encoder;
    this.#decoder = decoder;
    this.#joiner = joiner;
    this.#model = model;
    this.#blank = model.tokens - 1;
    this.#width = encoder.resultShape[0]!;
    this.#recordValues = model.hidden * (1 + 2 * model.layers);
    this.#records = new Float32Array(channels * this.#recordValues);
    this.#first = new Float32Array(this.#recordValues);
    this.#active = new Int32Array(channels);
    this.#tokens = new Int32Array(channels);
  }

  /** Every channel begins with the predictor's answer to a blank. */
  async begin(): Promise<void> {
    this.#tokens[0] = this.#blank;
    this.#records.fill(0, 0, this.#recordValues);
    await this.#predict(Int32Array.of(0), 0, 1);
    this.#first.set(this.#records.subarray(0, this.#recordValues));
  }

  async step(buffers: StepBuffers, rows: number, size: number): Promise<void> {
    const { frames, tokens } = this.#model;
    await this.#encoder.step(buffers, rows, size);
    for (let row = 0; row < rows; row++) {
      if (buffers.fresh[row] === 1) {
        this.#records.set(this.#first, buffers.channels[row]! * this.#recordValues);
      }
    }
    const slots = frames * SLOTS;
    buffers.ids.fill(this.#blank, 0, rows * slots);
    buffers.best.fill(0, 0, rows * slots);
    const logits = this.#joiner.output(0);
    for (let frame = 0; frame < frames; frame++) {
      let active = rows;
      for (let row = 0; row < rows; row++) this.#active[row] = row;
      for (let slot = 0; slot < SLOTS && active > 0; slot++) {
        let emitted = 0;
        for (let from = 0; from < active; from += this.#joiner.most) {
          const count = Math.min(this.#joiner.most, active - from);
          await this.#join(buffers, frame, from, count);
          for (let i = 0; i < count; i++) {
            const row = this.#active[from + i]!;
            const id = largest(logits, i * tokens, tokens);
            if (id === this.#blank) continue;
            const at = row * slots + frame * SLOTS + slot;
            buffers.ids[at] = id;
            buffers.best[at] = logProbabilityOfTop(logits, i * tokens, tokens, logits[i * tokens + id]!);
            this.#active[emitted] = row;
            this.#tokens[emitted++] = id;
          }
        }
        for (let from = 0; from < emitted; from += this.#decoder.most) {
          await this.#predict(buffers.channels, from, Math.min(this.#decoder.most, emitted - from));
        }
        active = emitted;
      }
    }
  }

  /** Runs the joiner on a frame of `count` active rows from `from` on. */
  async #join(buffers: StepBuffers, frame: number, from: number, count: number): Promise<void> {
    const { frames, hidden } = this.#model;
    const encoded = this.#joiner.floatInput(0);
    const predicted = this.#joiner.floatInput(1);
    for (let i = 0; i < count; i++) {
      const row = this.#active[from + i]!;
      const record = buffers.channels[row]! * this.#recordValues;
      // The encoder gives [width, frames].
      const at = row * this.#width * frames + frame;
      for (let k = 0; k < this.#width; k++) {
        encoded[i * this.#width + k] = this.#encoder.result[at + k * frames]!;
      }
      predicted.set(this.#records.subarray(record, record + hidden), i * hidden);
    }
    await this.#joiner.run(this.#joiner.sizeFor(count));
  }

  /** Takes the predictors of `count` active rows from `from` on by their tokens. */
  async #predict(channels: Int32Array, from: number, count: number): Promise<void> {
    const { layers, hidden } = this.#model;
    const size = this.#decoder.sizeFor(count);
    const [targets, outputs] = [this.#decoder.intInput(0), this.#decoder.output(0)];
    for (let i = 0; i < count; i++) {
      const record = channels[this.#active[from + i]!]! * this.#recordValues + hidden;
      targets[i] = this.#tokens[from + i]!;
      for (let state = 0; state < 2; state++) {
        const input = this.#decoder.floatInput(2 + state);
        for (let layer = 0; layer < layers; layer++) {
          const at = record + (state * layers + layer) * hidden;
          input.set(this.#records.subarray(at, at + hidden), (layer * size + i) * hidden);
        }
      }
    }
    await this.#decoder.run(size);
    for (let i = 0; i < count; i++) {
      const record = channels[this.#active[from + i]!]! * this.#recordValues;
      this.#records.set(outputs.subarray(i * hidden, (i + 1) * hidden), record);
      for (let state = 0; state < 2; state++) {
        const output = this.#decoder.output(2 + state);
        for (let layer = 0; layer < layers; layer++) {
          const at = (layer * size + i) * hidden;
          const to = record + hidden + (state * layers + layer) * hidden;
          this.#records.set(output.subarray(at, at + hidden), to);
        }
      }
    }
  }
}
