import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NetworkWriter } from '../onnx-writer.ts';
import { Layers, type State, writeTokens } from './layers.ts';
import { SMALL_NEMO, nemoMetadata, nemoStates } from './nemo.ts';
import { SMALL_ZIPFORMER, zipformer2Metadata, zipformer2States } from './zipformer.ts';

/** Levels that a feature is rounded to by the networks below: from LOWEST on, LEVEL apart. */
export const REVEALED = { lowest: -16.5, level: 0.002, levels: 12_000 } as const;

const LEVELS = Array.from({ length: REVEALED.levels }, (_, i) => REVEALED.lowest + i * REVEALED.level);
const NONE = 1e4;

/** Which feature each frame of output shows: frame t of step s shows bin bins[(s * frames + t) mod …] of window frame t. */
const BINS = 80;

/**
 * Each frame's value of one bin as [N, frames, 1]; the bins go round with the steps, which `steps` (an integer state, counting
 * `perStep` up a step) tells.
 */
function revealedValue(
  layers: Layers,
  x: string,
  window: number,
  frames: number,
  steps: string,
  perStep: number,
): string {
  const { net } = layers;
  const rows = net.node('Slice', [
    x,
    net.integers([window - frames]),
    net.integers([window]),
    net.integers([1]),
  ]);
  const step = net.node('Div', [
    net.node('Unsqueeze', [steps, net.integers([1])]),
    net.integers([perStep], [1]),
  ]);
  const first = net.node('Mul', [step, net.integers([frames], [1])]);
  const frame = net.integers(Array.from({ length: frames }, (_, t) => t));
  const bin = net.node('Mod', [net.node('Add', [first, frame]), net.integers([BINS], [1])]);
  return net.node('GatherElements', [rows, net.node('Unsqueeze', [bin, net.integers([2])])], { axis: 2 });
}

/**
 * A Zipformer2 CTC model whose tokens say what it saw: token 1 + k for a feature at level k in even frames, and 1 + levels + k
 * in odd ones, so that neighbours never collapse.
 */
export function revealingCtcFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const { chunk } = SMALL_ZIPFORMER;
  const states = zipformer2States();
  const layers = new Layers(1);
  const { net } = layers;
  const frames = chunk / 4;
  const tokens = 1 + 2 * REVEALED.levels;
  net.input('x', 'float32', ['N', chunk + 13, BINS]);
  layers.stateInputs(states);
  net.output('log_probs', 'float32', ['N', frames, tokens]);
  const value = revealedValue(layers, 'x', chunk + 13, frames, 'processed_lens', chunk / 2);
  const distance = net.node('Neg', [
    net.node('Abs', [net.node('Sub', [value, net.floats(LEVELS, [REVEALED.levels])])]),
  ]);
  const parity = Float32Array.from({ length: frames }, (_, t) => (t % 2 === 0 ? 0 : -NONE));
  const even = net.node('Add', [distance, net.floats(parity, [frames, 1])]);
  const odd = net.node('Add', [
    distance,
    net.floats(
      parity.map((p) => -NONE - p),
      [frames, 1],
    ),
  ]);
  const blank = net.node('Sub', [net.node('Mul', [value, net.floats([0], [])]), net.floats([3 * NONE], [])]);
  net.node('Concat', [blank, even, odd], { axis: 2 }, 'log_probs');
  passStates(net, states, (name) => `new_${name}`);
  writeFileSync(join(folder, 'model.onnx'), net.build(zipformer2Metadata('streaming ctc zipformer2')));
  writeTokens(folder, ['<blk>', ...Array.from({ length: tokens - 1 }, (_, i) => `t${i}`)]);
}

function passStates(net: NetworkWriter, states: readonly State[], next: (name: string) => string): void {
  for (const { name, type, before, after, add } of states) {
    if (add === undefined) net.node('Identity', [name], {}, next(name));
    else net.node('Add', [name, net.integers([add], [])], {}, next(name));
    net.output(next(name), type, [...before, 'N', ...after]);
  }
}

/** The same for NeMo's features, as a transducer: token k in even frames, levels + k in odd ones, then a blank. */
export function revealingTransducerFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const { window, shift, rnnLayers, rnnHidden } = SMALL_NEMO;
  const states = nemoStates();
  const layers = new Layers(1);
  const { net } = layers;
  const frames = shift / 8;
  const tokens = 2 * REVEALED.levels + 1;
  net.input('audio_signal', 'float32', ['N', BINS, window]);
  net.input('length', 'int64', ['N']);
  layers.stateInputs(states);
  net.output('outputs', 'float32', ['N', 2, frames]);
  net.output('encoded_lengths', 'int64', ['N']);
  net.node('Identity', ['length'], {}, 'encoded_lengths');
  const x = net.node('Transpose', ['audio_signal'], { perm: [0, 2, 1] });
  const value = revealedValue(layers, x, window, frames, 'cache_last_channel_len', frames);
  const parities = net.node('Add', [
    net.node('Mul', [value, net.floats([0], [])]),
    net.floats(
      Float32Array.from({ length: frames }, (_, t) => t % 2),
      [frames, 1],
    ),
  ]);
  net.node('Transpose', [net.node('Concat', [value, parities], { axis: 2 })], { perm: [0, 2, 1] }, 'outputs');
  passStates(net, states, (name) => `${name}_next`);
  const more = {
    vocab_size: String(tokens - 1),
    pred_rnn_layers: String(rnnLayers),
    pred_hidden: String(rnnHidden),
  };
  writeFileSync(join(folder, 'encoder.onnx'), net.build(nemoMetadata(more)));
  writeFileSync(join(folder, 'decoder.onnx'), parityDecoder(tokens));
  writeFileSync(join(folder, 'joiner.onnx'), parityJoiner());
  writeTokens(folder, [...Array.from({ length: tokens - 1 }, (_, i) => `t${i}`), '<blk>']);
}

/** Says in its first value whether the last token was of an even frame (0), an odd one (1) or none (-1). */
function parityDecoder(tokens: number): Buffer {
  const { rnnLayers, rnnHidden } = SMALL_NEMO;
  const net = new NetworkWriter();
  net.input('targets', 'int32', ['N', 1]);
  net.input('target_length', 'int32', ['N']);
  net.input('h', 'float32', [rnnLayers, 'N', rnnHidden]);
  net.input('c', 'float32', [rnnLayers, 'N', rnnHidden]);
  net.output('outputs', 'float32', ['N', rnnHidden, 1]);
  net.output('prednet_lengths', 'int32', ['N']);
  net.output('h_next', 'float32', [rnnLayers, 'N', rnnHidden]);
  net.output('c_next', 'float32', [rnnLayers, 'N', rnnHidden]);
  net.node('Identity', ['target_length'], {}, 'prednet_lengths');
  net.node('Identity', ['h'], {}, 'h_next');
  net.node('Identity', ['c'], {}, 'c_next');
  const table = Float32Array.from({ length: tokens }, (_, id) =>
    id === tokens - 1 ? -1 : id < REVEALED.levels ? 0 : 1,
  );
  const parity = net.node('Gather', [net.floats(table, [tokens]), 'targets'], { axis: 0 });
  const wide = net.node('Mul', [
    net.node('Unsqueeze', [parity, net.integers([2])]),
    net.floats(new Float32Array(rnnHidden).fill(1), [1, rnnHidden, 1]),
  ]);
  net.node('Identity', [wide], {}, 'outputs');
  return net.build();
}

function parityJoiner(): Buffer {
  const { rnnHidden } = SMALL_NEMO;
  const { levels } = REVEALED;
  const net = new NetworkWriter();
  net.input('encoder_outputs', 'float32', ['N', 2, 1]);
  net.input('decoder_outputs', 'float32', ['N', rnnHidden, 1]);
  net.output('outputs', 'float32', ['N', 1, 1, 2 * levels + 1]);
  const part = (name: string, at: number): string =>
    net.node('Reshape', [
      net.node('Slice', [name, net.integers([at]), net.integers([at + 1]), net.integers([1])]),
      net.integers([-1, 1]),
    ]);
  const value = part('encoder_outputs', 0);
  const parity = part('encoder_outputs', 1);
  const last = part('decoder_outputs', 0);
  const times = (x: string, factor: number): string => net.node('Mul', [x, net.floats([factor], [])]);
  const distance = net.node('Neg', [
    net.node('Abs', [net.node('Sub', [value, net.floats(LEVELS, [levels])])]),
  ]);
  const even = net.node('Add', [distance, times(parity, -2 * NONE)]);
  const odd = net.node('Add', [distance, times(net.node('Sub', [net.floats([1], []), parity]), -2 * NONE)]);
  // After a token of this frame the blank is best, before it the worst.
  const isNew = net.node('Abs', [net.node('Sub', [parity, last])]);
  const blank = net.node('Sub', [net.floats([NONE], []), times(isNew, 2 * NONE)]);
  net.node(
    'Reshape',
    [net.node('Concat', [even, odd, blank], { axis: 1 }), net.integers([-1, 1, 1, 2 * levels + 1])],
    {},
    'outputs',
  );
  return net.build();
}
