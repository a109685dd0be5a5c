/** A network and what the rewriting makes of it, side by side in onnxruntime. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { type Rewrites, rewriteNetwork } from '../../src/models/graph/rewrite.ts';
import { bytesSource } from '../../src/models/protobuf.ts';
import type { NetworkWriter } from './onnx-writer.ts';
import type { Random } from './random.ts';

/** Values of a network's outputs, by name. */
export type Outputs = Readonly<Record<string, Float32Array>>;

export interface Comparison {
  /** What rules applied; null: none did, and nothing was compared. */
  readonly rewrites: Partial<Rewrites> | null;
  /** The largest difference of two values, in parts of the greater of the value and 1. */
  readonly difference: number;
  readonly original: Outputs;
  readonly rewritten: Outputs;
}

/** Which rules applied, without those that did not. */
export function rewritesOf(file: Uint8Array): Partial<Rewrites> | null {
  const rewritten = rewriteNetwork(bytesSource(file));
  return rewritten && Object.fromEntries(Object.entries(rewritten.rewrites).filter(([, count]) => count > 0));
}

export async function run(
  file: Uint8Array,
  inputs: Readonly<Record<string, Tensor>>,
): Promise<Readonly<Record<string, Tensor>>> {
  const session = await InferenceSession.create(file, { logSeverityLevel: 4, intraOpNumThreads: 1 });
  return session.run(inputs);
}

/**
 * Runs a network of float32 tensors as it is and rewritten.
 * @param inputs their shapes, by name; values are normal, of deviation `scale`, or what is given
 */
export async function compare(
  net: NetworkWriter,
  random: Random,
  inputs: Readonly<Record<string, readonly number[]>>,
  { opset = 13, scale = 1 } = {},
): Promise<Comparison> {
  const file = net.build({}, opset);
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, shape]) => {
      const count = shape.reduce((a, b) => a * b, 1);
      return [name, new Tensor('float32', random.normals(count, scale), shape)];
    }),
  );
  const original = valuesOf(await run(file, feeds));
  const bytes = rewriteNetwork(bytesSource(file))?.bytes;
  const rewritten = bytes === undefined ? original : valuesOf(await run(bytes, feeds));
  const difference = Math.max(
    ...Object.entries(original).map(([name, values]) => differenceOf(values, rewritten[name]!)),
  );
  return { rewrites: rewritesOf(file), difference, original, rewritten };
}

const valuesOf = (outputs: Readonly<Record<string, Tensor>>): Outputs =>
  Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data as Float32Array]));

function differenceOf(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Infinity;
  return a.reduce((worst, value, i) => {
    const difference = Math.abs(value - b[i]!) / Math.max(1, Math.abs(value));
    return Math.max(worst, Number.isNaN(difference) ? Infinity : difference);
  }, 0);
}
