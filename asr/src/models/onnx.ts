import { EarshotError } from '@earshot/contracts';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { rewriteFile } from './graph/rewrite.ts';

/**
 * onnxruntime-node 1.30 on Node 24 wraps a float16 tensor's Uint16Array into the new Float16Array, which its native part
 * (Node-API 6) takes for a tensor of zero bytes. It decides so once, at the first tensor that is made: that one is made here
 * while Float16Array is out of sight.
 */
function keepFloat16AsUint16(): void {
  const name = 'Float16Array';
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, name);
  if (descriptor === undefined) return;
  Reflect.deleteProperty(globalThis, name);
  new Tensor('uint8', new Uint8Array(1), [1]);
  Object.defineProperty(globalThis, name, descriptor);
}
keepFloat16AsUint16();

/**
 * One thread and no spinning: engines are scaled by processes (measured: two processes with a thread each beat one with two),
 * and a spinning thread takes the core of the media worker.
 */
const SESSION_OPTIONS: InferenceSession.SessionOptions = {
  executionProviders: ['cpu'],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  // What fails is thrown; the library need not print it as well.
  logSeverityLevel: 4,
  extra: {
    session: {
      intra_op: { allow_spinning: '0' },
      inter_op: { allow_spinning: '0' },
      set_denormal_as_zero: '1',
    },
  },
};

/**
 * A session of a network's file, or of an equal network that is faster (see graph/).
 * @throws EarshotError MODEL_INVALID that names the file
 */
export async function openSession(path: string, file: string): Promise<InferenceSession> {
  try {
    return (await openRewritten(path)) ?? (await InferenceSession.create(path, SESSION_OPTIONS));
  } catch (error) {
    throw new EarshotError('MODEL_INVALID', `${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** null: the file itself is to be opened. onnxruntime has its own copy of the bytes afterwards. */
async function openRewritten(path: string): Promise<InferenceSession | null> {
  const rewritten = rewriteFile(path);
  if (rewritten === null) return null;
  try {
    return await InferenceSession.create(rewritten.bytes, SESSION_OPTIONS);
  } catch {
    // What is wrong is the file's fault or the rewriting's: opened as it is, it says so or does without.
    return null;
  }
}

export interface ExpectedTensor {
  /** What it is for, in messages: `signal`. */
  readonly role: string;
  /** `integer`: int32 or int64. */
  readonly type: string;
  /** null: any size, symbolic or fixed. */
  readonly shape: readonly (number | null)[];
  /** Where the batch is, which must be symbolic; 0 unless told. */
  readonly batchAxis?: number;
}

/**
 * Compares a session's inputs or outputs, in order, with what the format says: names differ between exporters, places do not.
 * @returns their names and types @throws EarshotError MODEL_INVALID that names the tensor
 */
export function bindByOrder(
  file: string,
  kind: 'input' | 'output',
  actual: readonly InferenceSession.ValueMetadata[],
  expected: readonly ExpectedTensor[],
): readonly BoundTensor[] {
  if (actual.length !== expected.length) {
    const names = actual.map(({ name }) => name).join(', ');
    throw invalid(file, `has ${actual.length} ${kind}s (${names.slice(0, 400)}), not ${expected.length}`);
  }
  return expected.map((want, index) => {
    const tensor = actual[index]!;
    const what = `${kind} ${index} "${tensor.name}" (${want.role})`;
    if (!tensor.isTensor) throw invalid(file, `${what} is not a tensor`);
    const fits =
      want.type === 'integer'
        ? tensor.type === 'int64' || tensor.type === 'int32'
        : tensor.type === want.type;
    if (!fits) throw invalid(file, `${what} is ${tensor.type}, not ${want.type}`);
    if (tensor.shape.length !== want.shape.length) {
      throw invalid(file, `${what} has ${tensor.shape.length} dimensions, not ${want.shape.length}`);
    }
    const batchAxis = want.batchAxis ?? 0;
    want.shape.forEach((size, axis) => {
      const got = tensor.shape[axis];
      if (axis === batchAxis && typeof got === 'number') {
        throw invalid(file, `${what} has a fixed batch of ${got}; axis ${axis} must be symbolic`);
      }
      if (size !== null && typeof got === 'number' && got !== size) {
        throw invalid(file, `${what} has ${got} on axis ${axis}, not ${size}`);
      }
    });
    return { name: tensor.name, type: tensor.type };
  });
}

export interface BoundTensor {
  readonly name: string;
  readonly type: string;
}

export const invalid = (file: string, fault: string): EarshotError =>
  new EarshotError('MODEL_INVALID', `${file}: ${fault}`);

export { Tensor };
export type { InferenceSession };
