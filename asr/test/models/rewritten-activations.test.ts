/** log(1 + e^d) in the forms that torch exports it in, and what only looks like it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NetworkWriter } from '../support/onnx-writer.ts';
import { Random } from '../support/random.ts';
import { compare } from '../support/rewritten.ts';

interface Form {
  readonly zero: 'like d' | 'initializer' | 'constant';
  readonly absoluteOf: 'd' | 'd - 0' | '0 - d';
  /** Operands the other way round. */
  readonly turned: readonly [boolean, boolean, boolean];
  readonly one: number;
}
const USUAL: Form = { zero: 'like d', absoluteOf: 'd', turned: [false, false, false], one: 1 };

const pair = (turned: boolean, a: string, b: string): string[] => (turned ? [b, a] : [a, b]);

function scalar(net: NetworkWriter, value: number, isNode = true): string {
  if (!isNode) return net.floats([value], []);
  return net.node('Constant', [], { value: { tensor: Float32Array.of(value), shape: [] } });
}

function zeroOf(net: NetworkWriter, d: string, form: Form['zero']): string {
  if (form !== 'like d') return scalar(net, 0, form === 'constant');
  const filling = { value: { tensor: Float32Array.of(0), shape: [1] } };
  return net.node('ConstantOfShape', [net.node('Shape', [d])], filling);
}

interface Named {
  readonly log: string;
  readonly sum: string;
  readonly maximum: string;
}

function softplus(net: NetworkWriter, d: string, form: Form, names: Partial<Named> = {}): string {
  const zero = zeroOf(net, d, form.zero);
  const maximum = net.node('Max', pair(form.turned[0], d, zero), {}, names.maximum);
  const difference = { d, 'd - 0': [d, zero], '0 - d': [zero, d] }[form.absoluteOf];
  const of = typeof difference === 'string' ? difference : net.node('Sub', difference);
  const exponential = net.node('Exp', [net.node('Neg', [net.node('Abs', [of])])]);
  const sum = net.node('Add', pair(form.turned[1], scalar(net, form.one), exponential), {}, names.sum);
  const log = net.node('Log', [sum], {}, names.log);
  return net.node('Add', pair(form.turned[2], maximum, log));
}

const SHAPE = ['N', 7, 40] as const;
function network(build: (net: NetworkWriter) => string): NetworkWriter {
  const net = new NetworkWriter();
  net.input('x', 'float32', SHAPE);
  net.output('y', 'float32', SHAPE);
  net.node('Identity', [build(net)], {}, 'y');
  return net;
}

const form = fc.record({
  zero: fc.constantFrom('like d', 'initializer', 'constant' as const),
  absoluteOf: fc.constantFrom('d', 'd - 0', '0 - d' as const),
  turned: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
  one: fc.constant(1),
});
const random = new Random(4);
/** Deviations that give values from next to nothing to some 80. */
const scale = fc.constantFrom(0.01, 1, 5, 20);
const INPUTS = { x: [3, ...SHAPE.slice(1)] as number[] };

describe('a softplus', () => {
  test('is the same in each of its forms, opsets 11 to 17', async () => {
    await fc.assert(
      fc.asyncProperty(form, scale, fc.constantFrom(11, 12, 13, 17), async (form, scale, opset) => {
        const net = network((writer) => softplus(writer, 'x', form));
        const compared = await compare(net, random, INPUTS, { opset, scale });
        expect(compared.rewrites).toEqual({ softplus: 1 });
        expect(compared.difference).toBeLessThan(1e-5);
      }),
      { numRuns: 40 },
    );
  });

  test('stays finite beyond what float32 can raise e to', async () => {
    const net = network((writer) => softplus(writer, 'x', USUAL));
    const { rewritten } = await compare(net, random, INPUTS, { scale: 1000 });
    expect(Math.max(...rewritten['y']!)).toBeCloseTo(87, 4);
  });

  test.each([
    ['whose logarithm is an output', { log: 'kept' }],
    ['whose sum is an output', { sum: 'kept' }],
    ['whose maximum is an output', { maximum: 'kept' }],
  ])('%s is left alone', async (_, names) => {
    const net = network((writer) => softplus(writer, 'x', USUAL, names));
    net.output('kept', 'float32', SHAPE);
    expect((await compare(net, random, INPUTS)).rewrites).toBeNull();
  });

  test('whose logarithm is seen elsewhere is left alone', async () => {
    const net = network((writer) => {
      const result = softplus(writer, 'x', USUAL, { log: 'log' });
      return writer.node('Mul', [result, 'log']);
    });
    expect((await compare(net, random, INPUTS)).rewrites).toBeNull();
  });

  test('with two for one, or with zeros in the shape of something else, is none', async () => {
    const two = network((writer) => softplus(writer, 'x', { ...USUAL, one: 2 }));
    expect((await compare(two, random, INPUTS)).rewrites).toBeNull();
    const wider = network((writer) => {
      const row = writer.node('ReduceMean', ['x'], { axes: [0] });
      const maximum = writer.node('Max', [row, zeroOf(writer, 'x', 'like d')]);
      const exponential = writer.node('Exp', [writer.node('Neg', [writer.node('Abs', [row])])]);
      const log = writer.node('Log', [writer.node('Add', [scalar(writer, 1), exponential])]);
      return writer.node('Add', [maximum, log]);
    });
    expect((await compare(wider, random, INPUTS)).rewrites).toBeNull();
  });
});

describe('a swoosh', () => {
  const swoosh = (
    net: NetworkWriter,
    shift: number,
    offset: number | null,
    line: string,
    of: Form,
  ): string => {
    const shifted = net.node('Sub', ['x', scalar(net, shift)], {}, 'shifted');
    const sloped = net.node('Sub', [softplus(net, shifted, of), line]);
    return offset === null ? sloped : net.node('Sub', [sloped, scalar(net, offset)]);
  };
  const line = (net: NetworkWriter, slope: number, turned: boolean, of = 'x'): string =>
    net.node('Mul', pair(turned, of, scalar(net, slope)));

  test('of any constants is the same', async () => {
    const constants = fc.record({
      shift: fc.constantFrom(1, 4, 0, -2.5),
      offset: fc.constantFrom(0.313261687, 0.035, null, -1),
      slope: fc.constantFrom(0.08, 0, 0.5, 1, 0.3),
    });
    await fc.assert(
      fc.asyncProperty(constants, form, scale, fc.boolean(), async (constants, form, scale, turned) => {
        const { shift, offset, slope } = constants;
        const net = network((writer) => swoosh(writer, shift, offset, line(writer, slope, turned), form));
        const compared = await compare(net, random, INPUTS, { scale });
        expect(compared.rewrites).toEqual({ softplus: 1 });
        expect(compared.difference).toBeLessThan(1e-5);
      }),
      { numRuns: 40 },
    );
  });

  test.each([
    ['whose x - c is seen elsewhere', (net: NetworkWriter) => line(net, 0.08, false, 'shifted')],
    ['of which something else is subtracted', (net: NetworkWriter) => net.node('Tanh', ['x'])],
  ])('%s keeps its subtractions', async (_, other) => {
    const net = network((writer) => {
      const shifted = writer.node('Sub', ['x', scalar(writer, 4)], {}, 'shifted');
      const sloped = writer.node('Sub', [softplus(writer, shifted, USUAL), other(writer)]);
      return writer.node('Sub', [sloped, scalar(writer, 0.035)]);
    });
    const compared = await compare(net, random, INPUTS, { scale: 10 });
    expect(compared.rewrites).toEqual({ softplus: 1 });
    expect(compared.difference).toBeLessThan(1e-5);
  });
});
