/**
 * Small networks with random weights and exactly the tensors, shapes and metadata of published ones. What comes out
 * depends on the features of every frame of the window, on every state of every layer and on the tokens before, so that a
 * loader that feeds, keeps or orders anything wrongly gives other tokens.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ElementType, NetworkWriter } from '../onnx-writer.ts';
import { Random } from '../random.ts';

export interface State {
  readonly name: string;
  readonly type: ElementType;
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** What a step adds to an integer state. */
  readonly add?: number;
}

export const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
export const HIDDEN = 12;

/** Random weights over a writer. */
export class Layers {
  readonly net = new NetworkWriter();
  readonly random: Random;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  linear(x: string, inputs: number, outputs: number, gain = 1): string {
    const weights = this.random.normals(inputs * outputs, gain / Math.sqrt(inputs));
    return this.net.node('MatMul', [x, this.net.floats(weights, [inputs, outputs])]);
  }

  scaled(x: string, factor: number): string {
    return this.net.node('Mul', [x, this.net.floats([factor], [])]);
  }

  sum(values: readonly string[]): string {
    return values.reduce((a, b) => this.net.node('Add', [a, b]));
  }

  /** [..., N, ...] to [N, values] as floats. */
  flat(state: Pick<State, 'type' | 'before' | 'after'>, name: string): string {
    const rank = state.before.length + state.after.length + 1;
    const axis = state.before.length;
    const perm = [axis, ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)];
    const count = product(state.before) * product(state.after);
    let x = this.net.node('Transpose', [name], { perm });
    x = this.net.node('Reshape', [x, this.net.integers([-1, count])]);
    if (state.type === 'float32') return x;
    return this.net.node('Sin', [this.scaled(this.net.node('Cast', [x], { to: 1 }), 0.05)]);
  }

  /** The opposite: [N, values] to [..., N, ...]. */
  unflat(state: Pick<State, 'before' | 'after'>, x: string): string {
    const axis = state.before.length;
    const rank = axis + state.after.length + 1;
    const reshaped = this.net.node('Reshape', [x, this.net.integers([-1, ...state.before, ...state.after])]);
    const perm = Array.from({ length: rank }, (_, i) => (i < axis ? i + 1 : i === axis ? 0 : i));
    return this.net.node('Transpose', [reshaped], { perm });
  }

  /**
   * frames [N, T, bins] and states to [N, outputs, HIDDEN]; writes the next states.
   */
  encoder(
    frames: string,
    window: number,
    bins: number,
    outputs: number,
    states: readonly State[],
    nextName: (name: string) => string,
  ): string {
    const { net } = this;
    const centred = this.scaled(net.node('Add', [frames, net.floats([8], [])]), 0.3);
    const projected = net.node('Transpose', [this.linear(centred, bins, HIDDEN)], { perm: [0, 2, 1] });
    const mixed = net.node('Transpose', [this.linear(projected, window, outputs, 3)], { perm: [0, 2, 1] });
    const gain = 2 / Math.sqrt(states.length);
    const summary = this.sum(
      states.map((state) =>
        this.linear(this.flat(state, state.name), product(state.before) * product(state.after), HIDDEN, gain),
      ),
    );
    const hidden = net.node('Tanh', [
      net.node('Add', [mixed, net.node('Unsqueeze', [summary, net.integers([1])])]),
    ]);
    const mean = net.node('ReduceMean', [hidden], { axes: [1], keepdims: 0 });
    for (const state of states) {
      const next = nextName(state.name);
      if (state.add !== undefined) {
        net.node('Add', [state.name, net.integers([state.add], [])], {}, next);
      } else {
        const news = net.node('Tanh', [
          this.linear(mean, HIDDEN, product(state.before) * product(state.after), 2),
        ]);
        net.node('Add', [this.scaled(state.name, 0.5), this.unflat(state, news)], {}, next);
      }
      net.output(next, state.type, [...state.before, 'N', ...state.after]);
    }
    return hidden;
  }

  stateInputs(states: readonly State[]): void {
    for (const { name, type, before, after } of states)
      this.net.input(name, type, [...before, 'N', ...after]);
  }

  /** Logits over tokens; the blank is as likely as its bias makes it. */
  logits(hidden: string, width: number, tokens: number, blank: number, bias: number, never = -1): string {
    const biases = Array.from({ length: tokens }, (_, id) => (id === blank ? bias : id === never ? -100 : 0));
    return this.net.node('Add', [this.linear(hidden, width, tokens, 3), this.net.floats(biases, [tokens])]);
  }
}

/** Tokens as a BPE model has them: the blank and specials at their usual places, then pieces all different. */
export function tokensOf(count: number, style: 'icefall' | 'nemo'): string[] {
  const pieces = Array.from({ length: count }, (_, i) => `${i % 3 === 0 ? '\u2581' : ''}${letters(i)}`);
  if (style === 'icefall') return ['<blk>', '<sos/eos>', '<unk>', ...pieces].slice(0, count);
  return ['<unk>', ...pieces.slice(1, count - 1), '<blk>'];
}

const letters = (i: number): string => String.fromCharCode(65 + (i % 26), 65 + (Math.floor(i / 26) % 26));

export function writeTokens(folder: string, tokens: readonly string[]): void {
  writeFileSync(join(folder, 'tokens.txt'), tokens.map((token, id) => `${token} ${id}\n`).join(''));
}
