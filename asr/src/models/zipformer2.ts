import type { EncoderLayout } from './chunk-encoder.ts';
import type { Metadata } from './metadata.ts';
import { invalid } from './onnx.ts';
import type { OnnxFile } from './onnx-file.ts';
import type { StateSpec } from './state-arena.ts';

/** Frames of output per mel frame: 25 Hz out of 100 Hz. */
const SUBSAMPLING = 4;

/**
 * The streaming Zipformer2 encoder as icefall exports it (zipformer/export-onnx-streaming.py and -ctc.py): features, six
 * states a layer, `embed_states` and `processed_lens` in; frames and the next states, in the same order, out.
 * @param result what comes out of it, for messages @param width of a frame of the result; null: as the network says
 * @throws EarshotError MODEL_INVALID that names the metadata
 */
export function zipformer2Layout(
  file: string,
  network: OnnxFile & { readonly meta: Metadata },
  result: string,
  width: number | null,
): EncoderLayout {
  const { meta } = network;
  if (meta.text('feature') === 'whisper') {
    throw invalid(file, 'wants Whisper features (metadata feature), which are not supported');
  }
  const layers = meta.integers('num_encoder_layers', 1, 64);
  const stacks = layers.length;
  const dims = meta.integers('encoder_dims', 1, 8192, stacks);
  const kernels = meta.integers('cnn_module_kernels', 1, 512, stacks);
  const contexts = meta.integers('left_context_len', 1, 8192, stacks);
  const queries = meta.integers('query_head_dims', 1, 1024, stacks);
  const values = meta.integers('value_head_dims', 1, 1024, stacks);
  const heads = meta.integers('num_heads', 1, 256, stacks);
  const { shiftFrames, windowFrames, bins } = chunkOf(file, network);
  const states: StateSpec[] = [];
  let layer = 0;
  layers.forEach((count, stack) => {
    const context = contexts[stack]!;
    const dim = dims[stack]!;
    const kernel = Math.floor(kernels[stack]! / 2);
    const valueDim = values[stack]! * heads[stack]!;
    for (let i = 0; i < count; i++, layer++) {
      const float = (name: string, before: number[], after: number[]): StateSpec => ({
        role: `${name}_${layer}`,
        type: 'float32',
        before,
        after,
      });
      states.push(
        float('cached_key', [context], [queries[stack]! * heads[stack]!]),
        float('cached_nonlin_attn', [1], [context, Math.floor((3 * dim) / 4)]),
        float('cached_val1', [context], [valueDim]),
        float('cached_val2', [context], [valueDim]),
        float('cached_conv1', [], [dim, kernel]),
        float('cached_conv2', [], [dim, kernel]),
      );
    }
  });
  // Twice halved by the convolutions before the encoder.
  const embedded = Math.floor((Math.floor((bins - 1) / 2) - 1) / 2);
  states.push(
    { role: 'embed_states', type: 'float32', before: [], after: [128, 3, embedded] },
    { role: 'processed_lens', type: 'integer', before: [], after: [] },
  );
  return statefulLayout(states, bins, windowFrames, shiftFrames, result, width);
}

/**
 * The older Zipformer's encoder (pruned_transducer_stateless7_streaming/export-onnx.py): seven states a stack, grouped by
 * kind.
 * @throws EarshotError MODEL_INVALID that names the metadata
 */
export function zipformer1Layout(
  file: string,
  network: OnnxFile & { readonly meta: Metadata },
  result: string,
  width: number | null,
): EncoderLayout {
  const { meta } = network;
  const layers = meta.integers('num_encoder_layers', 1, 64);
  const stacks = layers.length;
  const dims = meta.integers('encoder_dims', 1, 8192, stacks);
  const attention = meta.integers('attention_dims', 2, 8192, stacks);
  const kernels = meta.integers('cnn_module_kernels', 2, 512, stacks);
  const contexts = meta.integers('left_context_len', 1, 8192, stacks);
  const { shiftFrames, windowFrames, bins } = chunkOf(file, network);
  const kinds: readonly (readonly [string, (stack: number) => readonly [number[], number[]]])[] = [
    ['cached_len', (s) => [[layers[s]!], []]],
    ['cached_avg', (s) => [[layers[s]!], [dims[s]!]]],
    ['cached_key', (s) => [[layers[s]!, contexts[s]!], [attention[s]!]]],
    ['cached_val', (s) => [[layers[s]!, contexts[s]!], [Math.floor(attention[s]! / 2)]]],
    ['cached_val2', (s) => [[layers[s]!, contexts[s]!], [Math.floor(attention[s]! / 2)]]],
    ['cached_conv1', (s) => [[layers[s]!], [dims[s]!, kernels[s]! - 1]]],
    ['cached_conv2', (s) => [[layers[s]!], [dims[s]!, kernels[s]! - 1]]],
  ];
  const states = kinds.flatMap(([name, shape]) =>
    layers.map((_, stack): StateSpec => {
      const [before, after] = shape(stack);
      return { role: `${name}_${stack}`, type: name === 'cached_len' ? 'integer' : 'float32', before, after };
    }),
  );
  return statefulLayout(states, bins, windowFrames, shiftFrames, result, width);
}

function chunkOf(
  file: string,
  { meta, inputs }: OnnxFile & { readonly meta: Metadata },
): { shiftFrames: number; windowFrames: number; bins: number } {
  const shiftFrames = meta.integer('decode_chunk_len', SUBSAMPLING, 512);
  const windowFrames = meta.integer('T', shiftFrames, 1024);
  if (shiftFrames % SUBSAMPLING !== 0) {
    throw invalid(file, `metadata decode_chunk_len is ${shiftFrames}, not a multiple of ${SUBSAMPLING}`);
  }
  const bins = inputs[0]?.shape[2];
  return {
    shiftFrames,
    windowFrames,
    bins: typeof bins === 'number' && bins >= 8 && bins <= 128 ? bins : 80,
  };
}

function statefulLayout(
  states: readonly StateSpec[],
  bins: number,
  windowFrames: number,
  shiftFrames: number,
  result: string,
  width: number | null,
): EncoderLayout {
  const places = states.map(() => ({ kind: 'state' }) as const);
  return {
    features: 'kaldi',
    bins,
    windowFrames,
    shiftFrames,
    binsFirst: false,
    states,
    inputs: [{ kind: 'features' }, ...places],
    outputs: [{ kind: 'result', role: result }, ...places],
    result: [shiftFrames / SUBSAMPLING, width],
  };
}
