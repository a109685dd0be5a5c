import { join } from 'node:path';
import {
  type ExpectedTensor,
  type InferenceSession,
  Tensor,
  bindByOrder,
  invalid,
  openSession,
} from './onnx.ts';

/** One tensor of a network without states of ours: [...before, N, ...after]. */
export interface RowTensor {
  readonly role: string;
  readonly type: 'float32' | 'int32' | 'int64';
  readonly before?: readonly number[];
  readonly after: readonly number[];
}

type Values = Float32Array | Int32Array | BigInt64Array;

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** A transducer's decoder or joiner: tensors in, tensors out, in a few fixed batch sizes over the same memory. */
export class BatchNetwork {
  readonly #session: InferenceSession;
  readonly #file: string;
  readonly #sizes: readonly number[];
  readonly #inputs: readonly Values[];
  readonly #outputs: readonly Values[];
  readonly #batches = new Map<
    number,
    { readonly feeds: InferenceSession.FeedsType; readonly fetches: InferenceSession.FetchesType }
  >();

  /**
   * Exports whose batch is fixed to 1 (NeMo's decoder: one of its states is) are run with one row at a time.
   * @param outputs as many as the network has; null: not asked for
   * @throws EarshotError MODEL_INVALID that names the file and the tensor
   */
  static async open(
    folder: string,
    file: string,
    inputs: readonly RowTensor[],
    outputs: readonly (RowTensor | null)[],
    sizes: readonly number[],
  ): Promise<BatchNetwork> {
    const session = await openSession(join(folder, file), file);
    const network = new BatchNetwork(session, file, inputs, outputs, sizes);
    try {
      await network.run(1);
    } catch (error) {
      throw invalid(file, `does not run: ${(error as Error).message}`);
    }
    return network;
  }

  private constructor(
    session: InferenceSession,
    file: string,
    inputs: readonly RowTensor[],
    outputs: readonly (RowTensor | null)[],
    sizes: readonly number[],
  ) {
    this.#session = session;
    this.#file = file;
    const isOneRow = hasFixedRow(session.inputMetadata, inputs);
    this.#sizes = isOneRow ? [1] : [...new Set([1, ...sizes])].sort((a, b) => a - b);
    const axis = (tensor: RowTensor): number => (isOneRow ? -1 : (tensor.before?.length ?? 0));
    const boundInputs = bindByOrder(
      file,
      'input',
      session.inputMetadata,
      inputs.map((tensor) => expected(tensor, axis(tensor))),
    );
    const boundOutputs = bindByOrder(
      file,
      'output',
      session.outputMetadata,
      outputs.map((tensor, i) =>
        // What an exporter wrote of its outputs' batch is often wrong and never matters.
        tensor === null ? anything(session.outputMetadata[i]) : expected(tensor, -1),
      ),
    );
    const most = this.#sizes.at(-1)!;
    this.#inputs = inputs.map((tensor) => allocate(tensor, most));
    this.#outputs = outputs.map((tensor) => (tensor === null ? new Float32Array(0) : allocate(tensor, most)));
    for (const n of this.#sizes) {
      const feeds: Record<string, Tensor> = {};
      const fetches: Record<string, Tensor> = {};
      inputs.forEach((tensor, i) => (feeds[boundInputs[i]!.name] = tensorOf(tensor, this.#inputs[i]!, n)));
      outputs.forEach((tensor, i) => {
        if (tensor !== null) fetches[boundOutputs[i]!.name] = tensorOf(tensor, this.#outputs[i]!, n);
      });
      this.#batches.set(n, { feeds, fetches });
    }
  }

  /** Rows of the largest batch. */
  get most(): number {
    return this.#sizes.at(-1)!;
  }

  /** The smallest batch that holds `rows` rows, at most the largest there is. */
  sizeFor(rows: number): number {
    return this.#sizes.find((size) => size >= rows) ?? this.most;
  }

  floatInput(index: number): Float32Array {
    return this.#inputs[index] as Float32Array;
  }

  intInput(index: number): Int32Array {
    return this.#inputs[index] as Int32Array;
  }

  longInput(index: number): BigInt64Array {
    return this.#inputs[index] as BigInt64Array;
  }

  output(index: number): Float32Array {
    return this.#outputs[index] as Float32Array;
  }

  async run(size: number): Promise<void> {
    const batch = this.#batches.get(size);
    if (batch === undefined) throw new RangeError(`${this.#file}: no batch of ${size}`);
    await this.#session.run(batch.feeds, batch.fetches);
  }
}

function hasFixedRow(
  actual: readonly InferenceSession.ValueMetadata[],
  inputs: readonly RowTensor[],
): boolean {
  return inputs.some((tensor, i) => {
    const own = actual[i];
    return own?.isTensor === true && own.shape[tensor.before?.length ?? 0] === 1;
  });
}

const expected = (tensor: RowTensor, batchAxis: number): ExpectedTensor => ({
  role: tensor.role,
  type: tensor.type,
  shape: [...(tensor.before ?? []), null, ...tensor.after],
  batchAxis,
});

function anything(actual: InferenceSession.ValueMetadata | undefined): ExpectedTensor {
  const isTensor = actual?.isTensor === true;
  return {
    role: 'not used',
    type: isTensor ? actual.type : 'float32',
    shape: Array<null>(isTensor ? actual.shape.length : 1).fill(null),
    batchAxis: -1,
  };
}

function allocate(tensor: RowTensor, rows: number): Values {
  const count = product(tensor.before ?? []) * rows * product(tensor.after);
  if (tensor.type === 'float32') return new Float32Array(count);
  // 1 is a token that there is, and a length that a first run can have.
  return tensor.type === 'int32' ? new Int32Array(count).fill(1) : new BigInt64Array(count).fill(1n);
}

function tensorOf(tensor: RowTensor, values: Values, n: number): Tensor {
  const shape = [...(tensor.before ?? []), n, ...tensor.after];
  return new Tensor(tensor.type, values.subarray(0, product(shape)) as Float32Array, shape);
}
