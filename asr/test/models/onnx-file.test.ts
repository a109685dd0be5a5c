import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readOnnx } from '../../src/models/onnx-file.ts';
import { type ByteSource, bytesSource } from '../../src/models/protobuf.ts';
import { NetworkWriter } from '../support/onnx-writer.ts';

const name = fc.string({ minLength: 1, maxLength: 12 });
const shape = fc.array(fc.oneof(fc.integer({ min: 0, max: 100_000 }), name), { maxLength: 5 });
const value = fc.record({
  name,
  type: fc.constantFrom('float32', 'float16', 'int32', 'int64' as const),
  shape,
});
const network = fc.record({
  inputs: fc.array(value, { maxLength: 4 }),
  outputs: fc.array(value, { maxLength: 4 }),
  metadata: fc.dictionary(name, fc.string({ maxLength: 40 }), { noNullPrototype: true }),
  weights: fc.nat(2000),
});

function fileOf({
  inputs,
  outputs,
  metadata,
  weights,
}: typeof network extends fc.Arbitrary<infer T> ? T : never): Buffer {
  const writer = new NetworkWriter();
  for (const input of inputs) writer.input(input.name, input.type, input.shape);
  for (const output of outputs) writer.output(output.name, output.type, output.shape);
  writer.floats(new Float32Array(weights), [weights]);
  writer.node('Transpose', ['x'], { perm: [1, 0], alpha: { float: 0.5 }, text: 'a', one: -1 });
  return writer.build(metadata);
}

describe('what an ONNX file says of itself', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(network, (expected) => {
        const read = readOnnx(bytesSource(fileOf(expected)));
        expect(read).toEqual({
          ok: true,
          file: {
            metadata: new Map(Object.entries(expected.metadata)),
            inputs: expected.inputs,
            outputs: expected.outputs,
          },
        });
      }),
    );
  });

  test('is refused, with where it breaks off, when the file ends early', () => {
    fc.assert(
      fc.property(network, fc.double({ min: 0, max: 1, noNaN: true }), (made, share) => {
        const bytes = fileOf(made);
        const cut = bytes.subarray(0, Math.floor(share * (bytes.length - 1)));
        const read = readOnnx(bytesSource(cut));
        // Only a cut between two metadata entries leaves a whole file, with fewer of them.
        if (read.ok) expect(read.file.metadata.size).toBeLessThan(Object.keys(made.metadata).length);
        else expect(read.fault).toMatch(/breaks off|holds no graph/);
      }),
    );
  });

  test('never makes the reader throw or run on, whatever the bytes are', () => {
    fc.assert(
      fc.property(network, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }), (made, changes) => {
        const bytes = fileOf(made);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        const read = readOnnx(bytesSource(bytes));
        expect(typeof (read.ok ? read.file.inputs.length : read.fault.length)).toBe('number');
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const read = readOnnx(bytesSource(bytes));
        if (!read.ok) expect(read.fault).not.toBe('');
      }),
    );
  });

  test('is read without reading the weights', () => {
    const WEIGHTS = 4_000_000;
    const writer = new NetworkWriter();
    writer.input('x', 'float32', ['N', 3]);
    writer.floats(new Float32Array(WEIGHTS), [WEIGHTS]);
    const inner = bytesSource(writer.build({ model_type: 'zipformer2' }));
    let bytesRead = 0;
    const source: ByteSource = {
      length: inner.length,
      read: (at, into) => {
        const count = inner.read(at, into);
        bytesRead += count;
        return count;
      },
    };
    const read = readOnnx(source);
    expect(read.ok && read.file.metadata.get('model_type')).toBe('zipformer2');
    expect(inner.length).toBeGreaterThan(4 * WEIGHTS);
    expect(bytesRead).toBeLessThan(500_000);
  });

  test('of bytes that are something else says so', () => {
    expect(readOnnx(bytesSource(new Uint8Array(0)))).toEqual({
      ok: false,
      fault: 'it is no ONNX network: it holds no graph',
    });
    expect(readOnnx(bytesSource(Buffer.from('version https://git-lfs.github.com/spec/v1\n'))).ok).toBe(false);
  });
});
