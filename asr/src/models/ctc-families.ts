import { bestTokens } from '../decode/ctc.ts';
import { FRAME_TICKS, leadSamples } from '../features/front-end.ts';
import { ChunkEncoder, type EncoderLayout } from './chunk-encoder.ts';
import { describeChunked } from './describe.ts';
import { chooseNetworks, readNetwork } from './folder-files.ts';
import type { ModelDescription, ModelFamily, Recogniser, Settings, StepBuffers } from './model.ts';
import { invalid } from './onnx.ts';
import { nemoLayout, nemoVocabulary } from './nemo.ts';
import { Vocabulary } from './vocabulary.ts';
import { zipformer2Layout } from './zipformer2.ts';

function modelFile(folder: string, settings: Settings): string {
  const files = chooseNetworks(folder, settings);
  if ('model' in files) return files.model;
  throw invalid(files.encoder, 'is the encoder of a transducer, and the format is that of a CTC model');
}

/** The streaming Zipformer2 with a CTC head (icefall's zipformer/export-onnx-streaming-ctc.py). */
export const zipformer2Ctc: ModelFamily = {
  format: 'zipformer2-ctc',
  recognises: ({ transducer, metadata }) => !transducer && metadata.get('model_type') === 'zipformer2',

  describe(folder, settings): ModelDescription {
    const file = modelFile(folder, settings);
    const network = readNetwork(folder, file);
    const vocabulary = new Vocabulary(folder);
    const layout = zipformer2Layout(file, network, 'log-probabilities', vocabulary.symbols.length);
    const own = network.outputs[0]?.shape[2];
    if (typeof own === 'number') vocabulary.expect(own, file);
    return describeChunked({
      format: this.format,
      folder,
      files: { model: file },
      settings,
      layout,
      vocabulary,
      framesPerChunk: layout.result[0]!,
      blank: vocabulary.blank(),
      repeats: 'ctc',
      extraBytes: 0,
      frameDelaySamples: leadSamples(layout.windowFrames, layout.shiftFrames),
    });
  },

  async load(description, maxChannels, sizes): Promise<Recogniser> {
    const file = description.files['model']!;
    const network = readNetwork(description.folder, file);
    const layout = zipformer2Layout(file, network, 'log-probabilities', description.pieces.length);
    return loadCtc(description, file, layout, maxChannels, sizes);
  },
};

/** NeMo's cache-aware FastConformer with a CTC head (sherpa-onnx's export-onnx-ctc.py). */
export const nemoCtc: ModelFamily = {
  format: 'nemo-ctc',
  recognises: ({ transducer, metadata }) => !transducer && metadata.has('cache_last_channel_dim1'),

  describe(folder, settings): ModelDescription {
    const file = modelFile(folder, settings);
    const network = readNetwork(folder, file);
    const vocabulary = new Vocabulary(folder);
    vocabulary.expect(nemoVocabulary(network.meta), `${file}'s metadata vocab_size, with the blank,`);
    const layout = nemoLayout(file, network, settings, 'log-probabilities', (frames) => [
      frames,
      vocabulary.symbols.length,
    ]);
    return describeChunked({
      format: this.format,
      folder,
      files: { model: file },
      settings,
      layout,
      vocabulary,
      framesPerChunk: layout.frames,
      blank: vocabulary.blank(),
      repeats: 'ctc',
      extraBytes: 0,
      // The frames of a step show its newest mel frames: those before are there to be seen again.
      frameDelaySamples: FRAME_TICKS,
    });
  },

  async load(description, maxChannels, sizes): Promise<Recogniser> {
    const file = description.files['model']!;
    const settings = { features: description.features };
    const network = readNetwork(description.folder, file);
    const layout = nemoLayout(file, network, settings, 'log-probabilities', (frames) => [
      frames,
      description.pieces.length,
    ]);
    return loadCtc(description, file, layout, maxChannels, sizes);
  },
};

async function loadCtc(
  description: ModelDescription,
  file: string,
  layout: EncoderLayout,
  maxChannels: number,
  sizes: readonly number[],
): Promise<Recogniser> {
  const encoder = await ChunkEncoder.open(description.folder, file, layout, maxChannels, sizes);
  return new CtcRecogniser(encoder, description);
}

class CtcRecogniser implements Recogniser {
  readonly #encoder: ChunkEncoder;
  readonly #frames: number;
  readonly #vocabulary: number;

  constructor(encoder: ChunkEncoder, { framesPerChunk, pieces }: ModelDescription) {
    this.#encoder = encoder;
    this.#frames = framesPerChunk;
    this.#vocabulary = pieces.length;
  }

  async step(buffers: StepBuffers, rows: number, size: number): Promise<void> {
    await this.#encoder.step(buffers, rows, size);
    const { result } = this.#encoder;
    const values = this.#frames * this.#vocabulary;
    for (let row = 0; row < rows; row++) {
      if (buffers.full[row] === 1) {
        buffers.logprobs.set(result.subarray(row * values, (row + 1) * values), row * values);
      }
    }
    bestTokens(result, 0, rows * this.#frames, this.#vocabulary, buffers.ids, buffers.best, 0);
  }
}
