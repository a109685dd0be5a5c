import { Tensor } from './onnx.ts';

export type StateType = 'float32' | 'float16' | 'int32' | 'int64';

/** One state tensor of a network: [...before, N, ...after], N rows of the batch. */
export interface StateSpec {
  /** What it is, in messages. */
  readonly role: string;
  /** `integer`: int32 or int64, whichever the network takes. */
  readonly type: StateType | 'integer';
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const BYTES: Readonly<Record<StateType, number>> = { float32: 4, float16: 2, int32: 4, int64: 8 };
const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** Values of one channel in all of the states. */
export const stateValues = (specs: readonly StateSpec[]): number =>
  specs.reduce((sum, { before, after }) => sum + product(before) * product(after), 0);

/** Bytes of one channel in all of the states. */
export const stateBytes = (specs: readonly StateSpec[]): number =>
  specs.reduce((sum, spec) => sum + product(spec.before) * innerBytes(spec), 0);

const innerBytes = ({ type, after }: StateSpec): number =>
  product(after) * BYTES[type === 'integer' ? 'int64' : type];

interface Slot {
  readonly spec: StateSpec;
  readonly type: StateType;
  readonly outer: number;
  /** Bytes of one row for one of the outer indices: contiguous on both sides. */
  readonly inner: number;
  /** Byte offset in a channel's record. */
  readonly record: number;
  /** Byte offsets of the batch's tensors. */
  readonly input: number;
  readonly output: number;
}

/**
 * The states of all channels, each channel's in one contiguous record, and the tensors that a batch of them goes through.
 * All of it is one buffer: a row is gathered and scattered by copyWithin(), which moves memory without making an object
 * (a Zipformer2 row is some 3,000 pieces of 200 to 1,500 bytes).
 * States of a channel that begins are zero, which is what every family here begins with.
 */
export class StateArena {
  readonly #slots: readonly Slot[];
  readonly #bytes: Uint8Array;
  readonly #recordBytes: number;

  /** @param specs with the networks' real types @param most rows of the largest batch */
  constructor(
    specs: readonly (StateSpec & { readonly type: StateType })[],
    maxChannels: number,
    most: number,
  ) {
    let record = 0;
    for (const spec of specs) record += aligned(product(spec.before) * innerBytes(spec));
    this.#recordBytes = record;
    let batch = Math.max(maxChannels, most) * record;
    record = 0;
    this.#slots = specs.map((spec) => {
      const outer = product(spec.before);
      const inner = innerBytes(spec);
      const size = aligned(most * outer * inner);
      const slot = { spec, type: spec.type, outer, inner, record, input: batch, output: batch + size };
      record += aligned(outer * inner);
      batch += 2 * size;
      return slot;
    });
    this.#bytes = new Uint8Array(batch);
  }

  /** The states' tensors for a batch of n rows, over the same memory as those of other sizes. */
  tensors(n: number): { readonly inputs: Tensor[]; readonly outputs: Tensor[] } {
    const make = ({ spec, type }: Slot, at: number): Tensor => {
      const shape = [...spec.before, n, ...spec.after];
      const count = product(shape);
      const { buffer } = this.#bytes;
      switch (type) {
        case 'float32':
          return new Tensor('float32', new Float32Array(buffer, at, count), shape);
        case 'float16':
          return new Tensor('float16', new Uint16Array(buffer, at, count), shape);
        case 'int32':
          return new Tensor('int32', new Int32Array(buffer, at, count), shape);
        case 'int64':
          return new Tensor('int64', new BigInt64Array(buffer, at, count), shape);
      }
    };
    return {
      inputs: this.#slots.map((slot) => make(slot, slot.input)),
      outputs: this.#slots.map((slot) => make(slot, slot.output)),
    };
  }

  /** Puts the channels' states into the first `rows` rows of a batch of `size`; the other rows become zero. */
  gather(channels: Int32Array, fresh: Uint8Array, rows: number, size: number): void {
    const bytes = this.#bytes;
    for (const { outer, inner, record, input } of this.#slots) {
      for (let row = 0; row < size; row++) {
        const empty = row >= rows || fresh[row] === 1;
        let from = empty ? 0 : channels[row]! * this.#recordBytes + record;
        let to = input + row * inner;
        for (let i = 0; i < outer; i++, to += size * inner, from += inner) {
          if (empty) bytes.fill(0, to, to + inner);
          else bytes.copyWithin(to, from, from + inner);
        }
      }
    }
  }

  /** Takes the channels' next states from a batch of `size`. */
  scatter(channels: Int32Array, rows: number, size: number): void {
    const bytes = this.#bytes;
    for (const { outer, inner, record, output } of this.#slots) {
      for (let row = 0; row < rows; row++) {
        let to = channels[row]! * this.#recordBytes + record;
        let from = output + row * inner;
        for (let i = 0; i < outer; i++, from += size * inner, to += inner) {
          bytes.copyWithin(to, from, from + inner);
        }
      }
    }
  }
}
