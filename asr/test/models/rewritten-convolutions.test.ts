/** 1-D convolutions that become something that onnxruntime is faster with, and those that must stay. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Attribute, NetworkWriter } from '../support/onnx-writer.ts';
import { Random } from '../support/random.ts';
import { compare } from '../support/rewritten.ts';

const CHANNELS = 32;
const FRAMES = 9;
const random = new Random(7);
const INPUTS = { x: [3, CHANNELS, FRAMES] };

type Attributes = Readonly<Record<string, Attribute>>;

/** A network around something that is made of x [N, CHANNELS, FRAMES]. */
function network(build: (net: NetworkWriter) => string): NetworkWriter {
  const net = new NetworkWriter();
  net.input('x', 'float32', ['N', CHANNELS, FRAMES]);
  net.output('y', 'float32', ['N', 'channels', 'frames']);
  net.node('Identity', [build(net)], {}, 'y');
  return net;
}

const weightsOf = (net: NetworkWriter, shape: readonly [number, number, number]): string =>
  net.floats(random.normals(shape[0] * shape[1] * shape[2], 0.3), shape);

function conv(
  net: NetworkWriter,
  x: string,
  weights: string,
  attributes: Attributes,
  bias: readonly string[] = [],
): string {
  return net.node('Conv', [x, weights, ...bias], attributes);
}

describe('a depthwise convolution of one dimension', () => {
  const DEPTHWISE = { group: CHANNELS, kernel_shape: [3], pads: [1, 1] };

  test('is the same in two, whatever its window and the opset', async () => {
    const made = fc.record({
      kernel: fc.integer({ min: 1, max: 7 }),
      pads: fc.tuple(fc.nat(4), fc.nat(4)),
      dilation: fc.constantFrom(null, 1, 2),
      stride: fc.constantFrom(null, 1, 2),
      hasBias: fc.boolean(),
      namesKernel: fc.boolean(),
      opset: fc.constantFrom(11, 12, 13, 17),
    });
    await fc.assert(
      fc.asyncProperty(made, async ({ kernel, pads, dilation, stride, hasBias, namesKernel, opset }) => {
        fc.pre(FRAMES + pads[0] + pads[1] > (kernel - 1) * (dilation ?? 1));
        const net = network((writer) => {
          const bias = hasBias ? [writer.floats(random.normals(CHANNELS, 1), [CHANNELS])] : [];
          const attributes = {
            group: CHANNELS,
            pads,
            ...(namesKernel ? { kernel_shape: [kernel] } : {}),
            ...(dilation === null ? {} : { dilations: [dilation] }),
            ...(stride === null ? {} : { strides: [stride] }),
          };
          return conv(writer, 'x', weightsOf(writer, [CHANNELS, 1, kernel]), attributes, bias);
        });
        const compared = await compare(net, random, INPUTS, { opset });
        expect(compared.rewrites).toEqual({ depthwiseConvolutions: 1 });
        expect(compared.difference).toBeLessThan(1e-5);
      }),
      { numRuns: 40 },
    );
  });

  test('may share its weights with others of its kind, and be an output', async () => {
    const net = new NetworkWriter();
    net.input('x', 'float32', ['N', CHANNELS, FRAMES]);
    const weights = weightsOf(net, [CHANNELS, 1, 3]);
    net.node('Conv', ['x', weights], DEPTHWISE, 'first');
    net.node('Conv', ['first', weights], { ...DEPTHWISE, dilations: [2] }, 'second');
    for (const name of ['first', 'second']) net.output(name, 'float32', ['N', CHANNELS, 'frames']);
    const compared = await compare(net, random, INPUTS);
    expect(compared.rewrites).toEqual({ depthwiseConvolutions: 2 });
    expect(compared.difference).toBeLessThan(1e-5);
  });

  test.each<readonly [string, (net: NetworkWriter) => string]>([
    [
      'whose weights are seen elsewhere',
      (net) => {
        const weights = weightsOf(net, [CHANNELS, 1, 3]);
        return net.node('Add', [
          conv(net, 'x', weights, DEPTHWISE),
          net.node('ReduceSum', [weights], { keepdims: 0 }),
        ]);
      },
    ],
    [
      'whose weights another kind of convolution takes',
      (net) => {
        const weights = weightsOf(net, [CHANNELS, 1, 3]);
        const same = { auto_pad: 'SAME_UPPER', group: CHANNELS, kernel_shape: [3] };
        return net.node('Add', [conv(net, 'x', weights, DEPTHWISE), conv(net, 'x', weights, same)]);
      },
    ],
    [
      'whose weights are computed',
      (net) => {
        const weights = net.node('Tanh', [weightsOf(net, [CHANNELS, 1, 3])]);
        return conv(net, 'x', weights, DEPTHWISE);
      },
    ],
    [
      'that pads by itself',
      (net) => {
        const attributes = { auto_pad: 'SAME_LOWER', group: CHANNELS, kernel_shape: [3] };
        return conv(net, 'x', weightsOf(net, [CHANNELS, 1, 3]), attributes);
      },
    ],
    [
      'with a normalisation that onnxruntime folds into it',
      (net) => {
        const of = (value: number): string => net.floats(new Float32Array(CHANNELS).fill(value), [CHANNELS]);
        const convolved = conv(net, 'x', weightsOf(net, [CHANNELS, 1, 3]), DEPTHWISE);
        return net.node('BatchNormalization', [convolved, of(2), of(0.1), of(0.5), of(3)]);
      },
    ],
    [
      'that is not quite: four channels a group',
      (net) =>
        conv(net, 'x', weightsOf(net, [CHANNELS, 4, 3]), {
          group: CHANNELS / 4,
          kernel_shape: [3],
          pads: [1, 1],
        }),
    ],
    [
      'that gives two channels for each',
      (net) => conv(net, 'x', weightsOf(net, [2 * CHANNELS, 1, 3]), { group: CHANNELS, kernel_shape: [3] }),
    ],
  ])('%s is left alone', async (_, build) => {
    expect((await compare(network(build), random, INPUTS)).rewrites).toBeNull();
  });

  test('whose weights can be fed is left alone', async () => {
    const net = network((writer) => conv(writer, 'x', weightsOf(writer, [CHANNELS, 1, 3]), DEPTHWISE));
    net.input('w0', 'float32', [CHANNELS, 1, 3]);
    expect((await compare(net, random, INPUTS)).rewrites).toBeNull();
  });
});

describe('a convolution of one frame', () => {
  const inputs = { x: [3, CHANNELS, FRAMES] };

  test.each([11, 13, 17])('is a product, in opset %i', async (opset) => {
    for (const bias of [true, false]) {
      const net = network((writer) => {
        const biases = bias ? [writer.floats(random.normals(20, 1), [20])] : [];
        return conv(writer, 'x', weightsOf(writer, [20, CHANNELS, 1]), { kernel_shape: [1] }, biases);
      });
      const compared = await compare(net, random, inputs, { opset });
      expect(compared.rewrites).toEqual({ pointwiseConvolutions: 1 });
      expect(compared.difference).toBeLessThan(1e-5);
    }
  });

  test.each<readonly [string, Attributes]>([
    ['every other frame', { strides: [2] }],
    ['frames of padding', { pads: [0, 1] }],
    ['groups', { group: 2 }],
  ])('with %s is left alone', async (_, attributes) => {
    const perGroup = attributes['group'] === 2 ? CHANNELS / 2 : CHANNELS;
    const net = network((writer) => conv(writer, 'x', weightsOf(writer, [20, perGroup, 1]), attributes));
    expect((await compare(net, random, inputs)).rewrites).toBeNull();
  });
});
