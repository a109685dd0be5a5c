/** What is true of every network that is rewritten, or left as it is; and products with a transposed side. */
import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rewriteFile, rewriteNetwork } from '../../src/models/graph/rewrite.ts';
import { openSession, Tensor } from '../../src/models/onnx.ts';
import { readOnnx } from '../../src/models/onnx-file.ts';
import { bytesSource } from '../../src/models/protobuf.ts';
import { NetworkWriter } from '../support/onnx-writer.ts';
import { Random } from '../support/random.ts';
import { compare, rewritesOf, run } from '../support/rewritten.ts';

const random = new Random(11);
/** An empty message of the model's field 25, functions. */
const A_FUNCTION = Buffer.from([0xca, 0x01, 0]);

/** One value times another whose axes are in another order. */
function product(perm: readonly number[], more: (net: NetworkWriter, turned: string) => string[] = () => []) {
  const net = new NetworkWriter();
  net.input('x', 'float32', ['e', 'f', 'g', 'h']);
  net.input('left', 'float32', ['a', 'b', 'c', 'd']);
  const turned = net.node('Transpose', ['x'], { perm });
  const result = net.node('MatMul', ['left', turned]);
  net.node('Identity', [more(net, turned)[0] ?? result], {}, 'y');
  net.output('y', 'float32', ['p', 'q', 'r', 's']);
  return net;
}

describe('a product with a transposed right side', () => {
  test.each([
    [[1, 2, 3, 0], { x: [5, 3, 4, 8], left: [3, 4, 2, 8] }],
    [[2, 1, 3, 0], { x: [5, 4, 3, 8], left: [3, 4, 2, 8] }],
    [[1, 0, 3, 2], { x: [4, 3, 6, 8], left: [3, 4, 2, 8] }],
    [[0, 2, 3, 1], { x: [3, 6, 4, 8], left: [1, 1, 2, 8] }],
  ])('of axes %j is the same', async (perm, inputs) => {
    const compared = await compare(product(perm), random, inputs);
    expect(compared.rewrites).toEqual({ transposedProducts: 1 });
    expect(compared.difference).toBeLessThan(1e-5);
  });

  test('is left alone when onnxruntime does it itself, rows stay whole anyway, or the side is seen elsewhere', async () => {
    const own = await compare(product([0, 1, 3, 2]), random, { x: [3, 4, 6, 8], left: [3, 4, 2, 8] });
    const whole = await compare(product([1, 0, 2, 3]), random, { x: [4, 3, 8, 5], left: [3, 4, 2, 8] });
    const seen = product([2, 1, 3, 0], (net, turned) => [
      net.node('MatMul', ['left', net.node('Tanh', [turned])]),
    ]);
    expect([own.rewrites, whole.rewrites, rewritesOf(seen.build())]).toEqual([null, null, null]);
  });
});

/** A network in which every rule applies. */
function everything(): NetworkWriter {
  const net = new NetworkWriter();
  net.input('x', 'float32', ['N', 16, 12]);
  net.output('y', 'float32', [1, 'N', 16, 16]);
  net.output('z', 'float32', ['N', 16, 12]);
  const kernels = net.floats(random.normals(48, 0.5), [16, 1, 3]);
  const depthwise = net.node('Conv', ['x', kernels], { group: 16, pads: [1, 1] }, 'earshot.1');
  const mixed = net.node('Conv', [depthwise, net.floats(random.normals(256, 0.25), [16, 16, 1])]);
  const exponential = net.node('Exp', [net.node('Neg', [net.node('Abs', [mixed])])]);
  const log = net.node('Log', [net.node('Add', [exponential, net.floats([1], [])])]);
  net.node('Add', [net.node('Max', [mixed, net.floats([0], [])]), log], {}, 'z');
  const wide = net.node('Unsqueeze', ['z', net.integers([1])]);
  const left = net.node('Transpose', [wide], { perm: [1, 0, 2, 3] });
  net.node('MatMul', [left, net.node('Transpose', [wide], { perm: [1, 0, 3, 2] })], {}, 'y');
  return net;
}
const EACH = { softplus: 1, depthwiseConvolutions: 1, pointwiseConvolutions: 1, transposedProducts: 1 };

let root: string;
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), 'es-graph-'))));
afterAll(() => rmSync(root, { recursive: true }));

describe('a network', () => {
  test('in which all rules apply is the same, also where it has names like those that are made', async () => {
    const compared = await compare(everything(), random, { x: [3, 16, 12] });
    expect(compared.rewrites).toEqual(EACH);
    expect(compared.difference).toBeLessThan(1e-5);
  });

  test('keeps its metadata, inputs and outputs', () => {
    const file = everything().build({ model_type: 'zipformer2', comment: 'x'.repeat(300) });
    const { bytes } = rewriteNetwork(bytesSource(file))!;
    expect(readOnnx(bytesSource(bytes))).toEqual(readOnnx(bytesSource(file)));
  });

  test('is read straight into what is written: large weights are held once', () => {
    const net = everything();
    net.floats(new Float32Array(3_000_000), [3_000_000]);
    const inner = bytesSource(net.build());
    const elsewhere = new Set<ArrayBufferLike>();
    const read = (at: number, into: Uint8Array): number => {
      elsewhere.add(into.buffer);
      return inner.read(at, into);
    };
    const { bytes } = rewriteNetwork({ length: inner.length, read })!;
    expect(elsewhere.delete(bytes.buffer)).toBe(true);
    expect(bytes.length).toBeGreaterThan(12_000_000);
    expect(Math.max(...[...elsewhere].map(({ byteLength }) => byteLength))).toBeLessThan(1_000_000);
  });

  test('in which nothing applies is opened from its file', () => {
    const net = new NetworkWriter();
    net.input('x', 'float32', ['N', 3]);
    net.output('y', 'float32', ['N', 3]);
    net.node('Tanh', ['x'], {}, 'y');
    expect(rewriteNetwork(bytesSource(net.build()))).toBeNull();
    expect(rewriteFile(join(root, 'none.onnx'))).toBeNull();
    expect(rewriteFile(root)).toBeNull();
  });

  test('is left alone with functions, graphs in its graph, data in other files, or an opset below 11', () => {
    const branched = everything();
    const branch = new NetworkWriter();
    branch.node('Identity', ['z'], {}, 'out');
    branch.output('out', 'float32', ['N']);
    branched.node('If', [branched.node('ReduceMin', ['x'])], {
      then_branch: { graph: branch },
      else_branch: { graph: branch },
    });
    const elsewhere = everything();
    elsewhere.elsewhere('float32', [4, 4]);
    const files = [
      Buffer.concat([everything().build(), A_FUNCTION]),
      branched.build(),
      elsewhere.build(),
      everything().build({}, 10),
      Buffer.concat([everything().build(), everything().build()]),
    ];
    expect(rewritesOf(everything().build())).toEqual(EACH);
    expect(files.map((file) => rewriteNetwork(bytesSource(file)))).toEqual(files.map(() => null));
  });

  test('that is broken, whatever is, is left to onnxruntime', () => {
    const file = everything().build();
    const change = fc.tuple(fc.nat(file.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), fc.nat(file.length), (changes, length) => {
        const bytes = Buffer.from(file.subarray(0, length));
        for (const [at, byte] of changes) if (at < length) bytes[at] = byte;
        const rewritten = rewriteNetwork(bytesSource(bytes));
        expect(rewritten === null || rewritten.bytes.length > 0).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a session', () => {
  test('of a file that is rewritten gives what the file gives', async () => {
    const file = everything().build();
    writeFileSync(join(root, 'each.onnx'), file);
    const session = await openSession(join(root, 'each.onnx'), 'each.onnx');
    const x = new Tensor('float32', random.normals(2 * 16 * 12, 1), [2, 16, 12]);
    const [expected, actual] = [await run(file, { x }), await session.run({ x })];
    const own = actual['z']!.data as Float32Array;
    (expected['z']!.data as Float32Array).forEach((value, i) => expect(own[i]).toBeCloseTo(value, 4));
    expect(own).toHaveLength(2 * 16 * 12);
  });

  test('is made from the file when onnxruntime refuses what it became', async () => {
    const net = new NetworkWriter();
    net.input('x', 'int32', ['N', 2, 3, 4]);
    net.output('y', 'int32', ['p', 'q', 'r', 's']);
    net.node('MatMul', ['x', net.node('Transpose', ['x'], { perm: [1, 0, 3, 2] })], {}, 'y');
    const file = net.build();
    expect(rewritesOf(file)).toEqual({ transposedProducts: 1 });
    writeFileSync(join(root, 'whole.onnx'), file);
    const session = await openSession(join(root, 'whole.onnx'), 'whole.onnx');
    const x = new Tensor(
      'int32',
      Int32Array.from({ length: 48 }, (_, i) => i),
      [2, 2, 3, 4],
    );
    expect((await session.run({ x }))['y']!.dims).toEqual([2, 2, 3, 3]);
  });
});
