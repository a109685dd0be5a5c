import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NetworkWriter } from '../onnx-writer.ts';
import { HIDDEN, Layers, type State, tokensOf, writeTokens } from './layers.ts';
import { zipformerBlock } from './zipformer-block.ts';

export const SMALL_ZIPFORMER = {
  layers: [2, 1],
  dims: [8, 12],
  kernels: [7, 5],
  contexts: [8, 4],
  heads: [2, 3],
  queries: [4, 4],
  values: [3, 2],
  attention: [8, 12],
  chunk: 32,
  tokens: 40,
} as const;

const list = (values: readonly number[]): string => values.join(',');

export function zipformer2States(): State[] {
  const { layers, dims, kernels, contexts, heads, queries, values, chunk } = SMALL_ZIPFORMER;
  const states: State[] = [];
  let layer = 0;
  for (const [s, count] of layers.entries()) {
    for (let i = 0; i < count; i++, layer++) {
      const float = (name: string, before: number[], after: number[]): State => ({
        name: `${name}_${layer}`,
        type: 'float32',
        before,
        after,
      });
      states.push(
        float('cached_key', [contexts[s]!], [queries[s]! * heads[s]!]),
        float('cached_nonlin_attn', [1], [contexts[s]!, Math.floor((3 * dims[s]!) / 4)]),
        float('cached_val1', [contexts[s]!], [values[s]! * heads[s]!]),
        float('cached_val2', [contexts[s]!], [values[s]! * heads[s]!]),
        float('cached_conv1', [], [dims[s]!, Math.floor(kernels[s]! / 2)]),
        float('cached_conv2', [], [dims[s]!, Math.floor(kernels[s]! / 2)]),
      );
    }
  }
  states.push(
    { name: 'embed_states', type: 'float32', before: [], after: [128, 3, 19] },
    { name: 'processed_lens', type: 'int64', before: [], after: [], add: chunk / 2 },
  );
  return states;
}

export function zipformer2Metadata(comment: string): Record<string, string> {
  const { layers, dims, kernels, contexts, heads, queries, values, chunk } = SMALL_ZIPFORMER;
  return {
    model_type: 'zipformer2',
    version: '1',
    model_author: 'generated',
    comment,
    decode_chunk_len: String(chunk),
    T: String(chunk + 13),
    num_encoder_layers: list(layers),
    encoder_dims: list(dims),
    cnn_module_kernels: list(kernels),
    left_context_len: list(contexts),
    query_head_dims: list(queries),
    value_head_dims: list(values),
    num_heads: list(heads),
  };
}

/** A folder like a published streaming Zipformer2 CTC model. @param hasBlock with a layer's own operators, see zipformerBlock() */
export function zipformer2CtcFolder(
  folder: string,
  seed: number,
  more: Readonly<Record<string, string>> = {},
  hasBlock = false,
): void {
  mkdirSync(folder, { recursive: true });
  const { chunk, tokens } = SMALL_ZIPFORMER;
  const states = zipformer2States();
  const layers = new Layers(seed);
  const { net } = layers;
  net.input('x', 'float32', ['N', chunk + 13, 80]);
  layers.stateInputs(states);
  const hidden = withResult(net, 'log_probs', ['N', chunk / 4, tokens], () =>
    layers.encoder('x', chunk + 13, 80, chunk / 4, states, (name) => `new_${name}`),
  );
  const shown = hasBlock ? zipformerBlock(layers, hidden) : hidden;
  const logits = layers.logits(shown, HIDDEN, tokens, 0, 4.5);
  net.node('LogSoftmax', [logits], { axis: 2 }, 'log_probs');
  writeFileSync(
    join(folder, 'ctc-epoch-20-avg-1-chunk-16-left-128.onnx'),
    net.build({ ...zipformer2Metadata('streaming ctc zipformer2'), ...more }),
  );
  writeTokens(folder, tokensOf(tokens, 'icefall'));
}

/** Declares the result first: outputs are in the order of their declarations, and the states come after it. */
function withResult(
  net: NetworkWriter,
  name: string,
  shape: readonly (number | string)[],
  build: () => string,
): string {
  net.output(name, 'float32', shape);
  return build();
}

/** A folder like a published streaming Zipformer transducer, of the newer or the older kind. */
export function zipformerTransducerFolder(folder: string, seed: number, kind: 1 | 2 = 2): void {
  mkdirSync(folder, { recursive: true });
  const { chunk, tokens } = SMALL_ZIPFORMER;
  const joinerDim = 10;
  const states = kind === 2 ? zipformer2States() : zipformer1States();
  const window = chunk + (kind === 2 ? 13 : 7);
  const layers = new Layers(seed);
  const { net } = layers;
  net.input('x', 'float32', ['N', window, 80]);
  layers.stateInputs(states);
  const hidden = withResult(net, 'encoder_out', ['N', chunk / 4, joinerDim], () =>
    layers.encoder('x', window, 80, chunk / 4, states, (name) => `new_${name}`),
  );
  const weights = net.floats(layers.random.normals(HIDDEN * joinerDim, 0.5), [HIDDEN, joinerDim]);
  net.node('MatMul', [hidden, weights], {}, 'encoder_out');
  const metadata = kind === 2 ? zipformer2Metadata('streaming zipformer2') : zipformer1Metadata();
  writeFileSync(join(folder, 'encoder-epoch-99-avg-1-chunk-16-left-128.onnx'), net.build(metadata));
  writeFileSync(
    join(folder, 'decoder-epoch-99-avg-1-chunk-16-left-128.onnx'),
    statelessDecoder(seed + 1, tokens, joinerDim),
  );
  writeFileSync(
    join(folder, 'joiner-epoch-99-avg-1-chunk-16-left-128.onnx'),
    icefallJoiner(seed + 2, tokens, joinerDim),
  );
  writeTokens(folder, tokensOf(tokens, 'icefall'));
}

function statelessDecoder(seed: number, tokens: number, joinerDim: number): Buffer {
  const CONTEXT = 2;
  const EMBEDDING = 6;
  const layers = new Layers(seed);
  const { net } = layers;
  net.input('y', 'int64', ['N', CONTEXT]);
  net.output('decoder_out', 'float32', ['N', joinerDim]);
  // Ids below zero stand for nothing: masked, as icefall's decoder does.
  const known = net.node('Cast', [net.node('GreaterOrEqual', ['y', net.integers([0], [])])], { to: 1 });
  const ids = net.node('Max', ['y', net.integers([0], [])]);
  const table = net.floats(layers.random.normals(tokens * EMBEDDING, 1), [tokens, EMBEDDING]);
  const embedded = net.node('Mul', [
    net.node('Gather', [table, ids], { axis: 0 }),
    net.node('Unsqueeze', [known, net.integers([2])]),
  ]);
  const flat = net.node('Reshape', [embedded, net.integers([-1, CONTEXT * EMBEDDING])]);
  const weights = net.floats(layers.random.normals(CONTEXT * EMBEDDING * joinerDim, 0.3), [
    CONTEXT * EMBEDDING,
    joinerDim,
  ]);
  net.node('MatMul', [flat, weights], {}, 'decoder_out');
  return net.build({ context_size: String(CONTEXT), vocab_size: String(tokens) });
}

function icefallJoiner(seed: number, tokens: number, joinerDim: number): Buffer {
  const layers = new Layers(seed);
  const { net } = layers;
  net.input('encoder_out', 'float32', ['N', joinerDim]);
  net.input('decoder_out', 'float32', ['N', joinerDim]);
  net.output('logit', 'float32', ['N', tokens]);
  const joined = net.node('Tanh', [net.node('Add', ['encoder_out', 'decoder_out'])]);
  net.node('Identity', [layers.logits(joined, joinerDim, tokens, 0, 4)], {}, 'logit');
  return net.build({ joiner_dim: String(joinerDim) });
}

function zipformer1States(): State[] {
  const { layers, dims, attention, kernels, contexts, chunk } = SMALL_ZIPFORMER;
  const kinds: readonly (readonly [string, (s: number) => readonly [number[], number[]]])[] = [
    ['cached_len', () => [[], []]],
    ['cached_avg', (s) => [[], [dims[s]!]]],
    ['cached_key', (s) => [[contexts[s]!], [attention[s]!]]],
    ['cached_val', (s) => [[contexts[s]!], [attention[s]! / 2]]],
    ['cached_val2', (s) => [[contexts[s]!], [attention[s]! / 2]]],
    ['cached_conv1', (s) => [[], [dims[s]!, kernels[s]! - 1]]],
    ['cached_conv2', (s) => [[], [dims[s]!, kernels[s]! - 1]]],
  ];
  return kinds.flatMap(([name, shape]) =>
    layers.map((count, s): State => {
      const [before, after] = shape(s);
      const counts = name === 'cached_len';
      return {
        name: `${name}_${s}`,
        type: counts ? 'int64' : 'float32',
        before: [count, ...before],
        after,
        ...(counts ? { add: chunk / 2 } : {}),
      };
    }),
  );
}

function zipformer1Metadata(): Record<string, string> {
  const { layers, dims, attention, kernels, contexts, chunk } = SMALL_ZIPFORMER;
  return {
    model_type: 'zipformer',
    version: '1',
    model_author: 'generated',
    decode_chunk_len: String(chunk),
    T: String(chunk + 7),
    num_encoder_layers: list(layers),
    encoder_dims: list(dims),
    attention_dims: list(attention),
    cnn_module_kernels: list(kernels),
    left_context_len: list(contexts),
  };
}
