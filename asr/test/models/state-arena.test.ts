import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StateArena, type StateSpec, stateBytes, stateValues } from '../../src/models/state-arena.ts';

type Spec = StateSpec & { readonly type: 'float32' | 'int64' | 'int32' };

const dimensions = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 });
const spec = fc.record({
  role: fc.constant('state'),
  type: fc.constantFrom('float32', 'int64', 'int32' as const),
  before: dimensions,
  after: dimensions,
});
const CHANNELS = 6;
const step = fc.record({
  rows: fc.subarray([...Array(CHANNELS).keys()], { minLength: 1, maxLength: 4 }),
  fresh: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
});

/** The value at each place of a row, read by the definition of a tensor's layout. */
function valuesOfRow(
  { before, after }: Spec,
  data: ArrayLike<number | bigint>,
  n: number,
  row: number,
): number[] {
  const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
  const [outer, inner] = [product(before), product(after)];
  const values: number[] = [];
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) values.push(Number(data[(o * n + row) * inner + i]));
  }
  return values;
}

describe('the states of channels', () => {
  test('come back to each channel as its last batch left them, whatever the company, and begin with zeros', () => {
    fc.assert(
      fc.property(
        fc.array(spec, { minLength: 1, maxLength: 4 }),
        fc.array(step, { minLength: 1, maxLength: 8 }),
        fc.boolean(),
        (specs, steps, padded) => {
          const arena = new StateArena(specs, CHANNELS, 8);
          /** By channel, then by state. */
          const kept = new Map<number, number[][]>();
          let counter = 1;
          for (const { rows, fresh } of steps) {
            const n = padded ? 8 : rows.length;
            const { inputs, outputs } = arena.tensors(n);
            const flags = Uint8Array.from(rows, (channel, i) => (fresh[i]! || !kept.has(channel) ? 1 : 0));
            arena.gather(Int32Array.from(rows), flags, rows.length, n);
            for (let row = 0; row < n; row++) {
              const expected = flags[row] === 0 ? kept.get(rows[row]!) : undefined;
              specs.forEach((spec, s) => {
                const got = valuesOfRow(spec, inputs[s]!.data as Float32Array, n, row);
                expect(got).toEqual(expected?.[s] ?? got.map(() => 0));
              });
            }
            outputs.forEach((tensor) => {
              const data = tensor.data as Float32Array | BigInt64Array;
              for (let i = 0; i < data.length; i++) {
                const value = counter++ % 1_000_000;
                if (data instanceof BigInt64Array) data[i] = BigInt(value);
                else data[i] = value;
              }
            });
            arena.scatter(Int32Array.from(rows), rows.length, n);
            rows.forEach((channel, row) => {
              kept.set(
                channel,
                specs.map((spec, s) => valuesOfRow(spec, outputs[s]!.data as Float32Array, n, row)),
              );
            });
          }
        },
      ),
    );
  });

  test('are counted as published: the 66M Zipformer2 has 462,720 values a stream', () => {
    const stacks = [
      [2, 192, 4, 31, 128],
      [2, 256, 4, 31, 64],
      [3, 384, 4, 15, 32],
      [4, 512, 8, 15, 16],
      [3, 384, 4, 15, 32],
      [2, 256, 4, 31, 64],
    ] as const;
    const float = (before: number[], after: number[]): StateSpec => ({
      role: '',
      type: 'float32',
      before,
      after,
    });
    const states = stacks.flatMap(([layers, dim, heads, kernel, context]) =>
      Array.from({ length: layers }, () => [
        float([context], [32 * heads]),
        float([1], [context, (3 * dim) / 4]),
        float([context], [12 * heads]),
        float([context], [12 * heads]),
        float([], [dim, (kernel - 1) / 2]),
        float([], [dim, (kernel - 1) / 2]),
      ]).flat(),
    );
    const all = [...states, float([], [128, 3, 19])];
    expect(stateValues(all)).toBe(462_720);
    expect(stateBytes(all)).toBe(4 * 462_720);
  });
});
