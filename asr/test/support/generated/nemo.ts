import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HIDDEN, Layers, type State, tokensOf, writeTokens } from './layers.ts';

export const SMALL_NEMO = {
  layers: 2,
  cache: 5,
  width: 10,
  conv: 3,
  window: 25,
  shift: 16,
  tokens: 30,
  rnnLayers: 2,
  rnnHidden: 8,
} as const;

export function nemoStates(): State[] {
  const { layers, cache, width, conv, shift } = SMALL_NEMO;
  return [
    { name: 'cache_last_channel', type: 'float32', before: [], after: [layers, cache, width] },
    { name: 'cache_last_time', type: 'float32', before: [], after: [layers, width, conv] },
    { name: 'cache_last_channel_len', type: 'int64', before: [], after: [], add: shift / 8 },
  ];
}

export function nemoMetadata(more: Readonly<Record<string, string>>): Record<string, string> {
  const { layers, cache, width, conv, window, shift, tokens } = SMALL_NEMO;
  return {
    vocab_size: String(tokens - 1),
    window_size: String(window),
    chunk_shift: String(shift),
    normalize_type: 'NA',
    subsampling_factor: '8',
    cache_last_channel_dim1: String(layers),
    cache_last_channel_dim2: String(cache),
    cache_last_channel_dim3: String(width),
    cache_last_time_dim1: String(layers),
    cache_last_time_dim2: String(width),
    cache_last_time_dim3: String(conv),
    model_type: 'EncDecHybridRNNTCTCBPEModel',
    version: '1',
    model_author: 'generated',
    ...more,
  };
}

/** The part that both kinds of NeMo models share. @returns [N, frames, HIDDEN] */
function nemoEncoder(layers: Layers, result: string, shape: readonly (number | string)[]): string {
  const { window, shift } = SMALL_NEMO;
  const { net } = layers;
  const states = nemoStates();
  net.input('audio_signal', 'float32', ['N', 80, window]);
  net.input('length', 'int64', ['N']);
  layers.stateInputs(states);
  net.output(result, 'float32', shape);
  net.output('encoded_lengths', 'int64', ['N']);
  const frames = net.node('Transpose', ['audio_signal'], { perm: [0, 2, 1] });
  const counted = net.node('Add', [frames, countOf(layers, 'length')]);
  net.node('Add', ['length', net.integers([shift / 8 - window], [])], {}, 'encoded_lengths');
  return layers.encoder(counted, window, 80, shift / 8, states, (name) => `${name}_next`);
}

/** A length as something that shows in the features: [N, 1, 1]. */
const countOf = ({ net }: Layers, name: string): string =>
  net.node('Unsqueeze', [
    net.node('Mul', [net.node('Cast', [name], { to: 1 }), net.floats([0.01], [])]),
    net.integers([1, 2]),
  ]);

/** A folder like a published streaming NeMo CTC model. */
export function nemoCtcFolder(folder: string, seed: number): void {
  mkdirSync(folder, { recursive: true });
  const { tokens, shift } = SMALL_NEMO;
  const layers = new Layers(seed);
  const hidden = nemoEncoder(layers, 'logprobs', ['N', shift / 8, tokens]);
  const logits = layers.logits(hidden, HIDDEN, tokens, tokens - 1, 4);
  layers.net.node('LogSoftmax', [logits], { axis: 2 }, 'logprobs');
  writeFileSync(join(folder, 'model.onnx'), layers.net.build(nemoMetadata({})));
  writeTokens(folder, tokensOf(tokens, 'nemo'));
}

/** A folder like a published streaming NeMo transducer. @param fixedState as real exports have it: one of the decoder's states has batch 1 */
export function nemoTransducerFolder(folder: string, seed: number, fixedState: boolean): void {
  mkdirSync(folder, { recursive: true });
  const { tokens, shift, width, rnnLayers, rnnHidden } = SMALL_NEMO;
  const layers = new Layers(seed);
  const hidden = nemoEncoder(layers, 'outputs', ['N', width, shift / 8]);
  const widened = layers.linear(hidden, HIDDEN, width, 2);
  layers.net.node('Transpose', [widened], { perm: [0, 2, 1] }, 'outputs');
  const more = { pred_rnn_layers: String(rnnLayers), pred_hidden: String(rnnHidden) };
  writeFileSync(join(folder, 'encoder.onnx'), layers.net.build(nemoMetadata(more)));
  writeFileSync(join(folder, 'decoder.onnx'), nemoDecoder(seed + 1, fixedState));
  writeFileSync(join(folder, 'joiner.onnx'), nemoJoiner(seed + 2));
  writeTokens(folder, tokensOf(tokens, 'nemo'));
}

function nemoDecoder(seed: number, fixedState: boolean): Buffer {
  const { tokens, rnnLayers, rnnHidden } = SMALL_NEMO;
  const layers = new Layers(seed);
  const { net } = layers;
  const state = { type: 'float32', before: [rnnLayers], after: [rnnHidden] } as const;
  const fixed = fixedState ? 1 : 'N';
  net.input('targets', 'int32', ['N', 1]);
  net.input('target_length', 'int32', ['N']);
  net.input('states.1', 'float32', [rnnLayers, 'N', rnnHidden]);
  net.input('onnx::LSTM_3', 'float32', [rnnLayers, fixed, rnnHidden]);
  net.output('outputs', 'float32', ['N', rnnHidden, 1]);
  net.output('prednet_lengths', 'int32', ['N']);
  net.output('states', 'float32', [rnnLayers, 'N', rnnHidden]);
  net.output('74', 'float32', [rnnLayers, fixed, rnnHidden]);
  net.node('Identity', ['target_length'], {}, 'prednet_lengths');
  const table = net.floats(layers.random.normals(tokens * rnnHidden, 1), [tokens, rnnHidden]);
  const embedded = net.node('Reshape', [
    net.node('Gather', [table, 'targets'], { axis: 0 }),
    net.integers([-1, rnnHidden]),
  ]);
  const count = rnnLayers * rnnHidden;
  const output = net.node('Tanh', [
    layers.sum([
      embedded,
      // Small: what rounds differently in batches of other sizes must die down, not grow, from token to token.
      layers.linear(layers.flat(state, 'states.1'), count, rnnHidden, 0.4),
      layers.linear(layers.flat(state, 'onnx::LSTM_3'), count, rnnHidden, 0.4),
    ]),
  ]);
  net.node('Unsqueeze', [output, net.integers([2])], {}, 'outputs');
  for (const [from, to] of [
    ['states.1', 'states'],
    ['onnx::LSTM_3', '74'],
  ] as const) {
    const news = layers.unflat(state, net.node('Tanh', [layers.linear(output, rnnHidden, count)]));
    net.node('Add', [layers.scaled(from, -0.8), news], {}, to);
  }
  return net.build();
}

function nemoJoiner(seed: number): Buffer {
  const { tokens, width, rnnHidden } = SMALL_NEMO;
  const layers = new Layers(seed);
  const { net } = layers;
  net.input('encoder_outputs', 'float32', ['N', width, 1]);
  net.input('decoder_outputs', 'float32', ['N', rnnHidden, 1]);
  net.output('outputs', 'float32', ['N', 1, 1, tokens]);
  const flat = (name: string, size: number): string => net.node('Reshape', [name, net.integers([-1, size])]);
  const joined = net.node('Tanh', [
    net.node('Add', [
      layers.linear(flat('encoder_outputs', width), width, HIDDEN, 3),
      layers.linear(flat('decoder_outputs', rnnHidden), rnnHidden, HIDDEN, 3),
    ]),
  ]);
  // Never <unk>: sherpa-onnx leaves it out of its tokens but not out of their times.
  const logits = layers.logits(joined, HIDDEN, tokens, tokens - 1, 5, 0);
  net.node('Reshape', [logits, net.integers([-1, 1, 1, tokens])], {}, 'outputs');
  return net.build();
}
