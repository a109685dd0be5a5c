import { HIDDEN, type Layers } from './layers.ts';

/**
 * The operators of a Zipformer's layer as torch exports them: a depthwise and a pointwise convolution, the activation
 * SwooshR, and frames weighted by their products with others. [N, T, HIDDEN] to the same.
 */
export function zipformerBlock(layers: Layers, x: string): string {
  const { net, random } = layers;
  const weights = (shape: readonly number[], gain: number): string =>
    net.floats(
      random.normals(
        shape.reduce((a, b) => a * b, 1),
        gain,
      ),
      shape,
    );
  const channels = net.node('Transpose', [x], { perm: [0, 2, 1] });
  const kernel = { group: HIDDEN, kernel_shape: [5], pads: [2, 2], dilations: [1], strides: [1] };
  const near = net.node('Conv', [channels, weights([HIDDEN, 1, 5], 0.6), weights([HIDDEN], 0.1)], kernel);
  const mixed = net.node('Conv', [near, weights([HIDDEN, HIDDEN, 1], 0.5)], { kernel_shape: [1] });
  const activated = swooshR(layers, net.node('Transpose', [mixed], { perm: [0, 2, 1] }));
  const heads = net.node('Unsqueeze', [activated, net.integers([2])]);
  const queries = net.node('Transpose', [heads], { perm: [0, 2, 1, 3] });
  const keys = net.node('Transpose', [heads], { perm: [0, 2, 3, 1] });
  const shares = net.node('Softmax', [net.node('MatMul', [queries, keys])], { axis: 3 });
  const seen = net.node('Squeeze', [net.node('MatMul', [shares, queries]), net.integers([1])]);
  return net.node('Tanh', [layers.sum([x, activated, seen])]);
}

function swooshR({ net }: Layers, x: string): string {
  const constant = (value: number): string =>
    net.node('Constant', [], { value: { tensor: Float32Array.of(value), shape: [] } });
  const shifted = net.node('Sub', [x, constant(1)]);
  const zero = constant(0);
  const distance = net.node('Abs', [net.node('Sub', [zero, shifted])]);
  const exponential = net.node('Exp', [net.node('Neg', [distance])]);
  const log = net.node('Log', [net.node('Add', [constant(1), exponential])]);
  const sum = net.node('Add', [net.node('Max', [zero, shifted]), log]);
  const sloped = net.node('Sub', [sum, net.node('Mul', [x, constant(0.08)])]);
  return net.node('Sub', [sloped, constant(0.313261687)]);
}
