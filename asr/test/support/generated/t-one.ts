import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HIDDEN, Layers } from './layers.ts';

export const SMALL_T_ONE = { chunk: 2400, frames: 10, state: 500, tokens: 35 } as const;

/** A folder like the published T-one: no model.json, three numbers of metadata. @param half whether the scores are halves */
export function tOneFolder(folder: string, seed: number, half = false): void {
  mkdirSync(folder, { recursive: true });
  const { chunk, frames, state, tokens } = SMALL_T_ONE;
  const layers = new Layers(seed);
  const { net } = layers;
  const scores = half ? 'float16' : 'float32';
  net.input('signal', 'int32', ['N', chunk, 1]);
  net.input('state', 'float16', ['N', state]);
  net.output('logprobs', scores, ['N', frames, tokens]);
  net.output('state_next', 'float16', ['N', state]);
  const signal = layers.scaled(net.node('Cast', ['signal'], { to: 1 }), 1 / 4000);
  const pieces = net.node('Reshape', [signal, net.integers([-1, frames, chunk / frames])]);
  const memory = net.node('Cast', ['state'], { to: 1 });
  const summary = layers.linear(memory, state, HIDDEN, 2);
  const hidden = net.node('Tanh', [
    net.node('Add', [
      layers.linear(pieces, chunk / frames, HIDDEN, 8),
      net.node('Unsqueeze', [summary, net.integers([1])]),
    ]),
  ]);
  const logits = layers.logits(hidden, HIDDEN, tokens, tokens - 1, 4);
  net.node('Cast', [net.node('LogSoftmax', [logits], { axis: 2 })], { to: half ? 10 : 1 }, 'logprobs');
  const mean = net.node('ReduceMean', [hidden], { axes: [1], keepdims: 0 });
  const news = net.node('Tanh', [layers.linear(mean, HIDDEN, state, 2)]);
  net.node('Cast', [net.node('Add', [layers.scaled(memory, 0.5), news])], { to: 10 }, 'state_next');
  writeFileSync(
    join(folder, 'model.onnx'),
    net.build({ frame_length_ms: '300', state_dim: String(state), sample_rate: '8000' }),
  );
  const lines = Array.from({ length: tokens - 2 }, (_, id) => `${String.fromCharCode(0x430 + id)} ${id}\n`);
  writeFileSync(join(folder, 'tokens.txt'), [...lines, ` ${tokens - 2}\n`, `<blk> ${tokens - 1}\n`].join(''));
}
