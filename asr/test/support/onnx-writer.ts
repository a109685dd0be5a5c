/** Just enough of ONNX's protobuf (onnx.proto3) to write small networks that compute something. */
export type ElementType = 'float32' | 'int32' | 'int64' | 'float16';

/** A text is a symbolic dimension. */
export type Shape = readonly (number | string)[];

const ELEMENT: Readonly<Record<ElementType, number>> = { float32: 1, int32: 6, int64: 7, float16: 10 };

function varint(value: number): Buffer {
  const bytes: number[] = [];
  // Negative numbers are 64-bit two's complement.
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 128n) return Buffer.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 127n) | 0x80);
  }
}
const integer = (field: number, value: number): Buffer => Buffer.concat([varint(field * 8), varint(value)]);
const message = (field: number, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([varint(field * 8 + 2), varint(body.length), body]);
};
const text = (field: number, value: string): Buffer => message(field, Buffer.from(value));

export type Attribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly tensor: Float32Array; readonly shape: readonly number[] }
  | { readonly graph: NetworkWriter };

function attribute(name: string, value: Attribute): Buffer {
  const TYPE = 20;
  if (typeof value === 'number') return message(5, text(1, name), integer(3, value), integer(TYPE, 2));
  if (typeof value === 'string')
    return message(5, text(1, name), message(4, Buffer.from(value)), integer(TYPE, 3));
  if (typeof value === 'object' && 'tensor' in value)
    return message(5, text(1, name), message(5, tensor('', value.tensor, value.shape)), integer(TYPE, 4));
  if (typeof value === 'object' && 'graph' in value)
    return message(5, text(1, name), value.graph.graph(6), integer(TYPE, 5));
  if ('float' in value) {
    const bytes = Buffer.alloc(5);
    bytes[0] = 2 * 8 + 5;
    bytes.writeFloatLE(value.float, 1);
    return message(5, text(1, name), bytes, integer(TYPE, 1));
  }
  return message(5, text(1, name), ...value.map((item) => integer(8, item)), integer(TYPE, 7));
}

function valueInfo(name: string, type: ElementType, shape: Shape): Buffer[] {
  const dimensions = shape.map((size) =>
    message(1, typeof size === 'number' ? integer(1, size) : text(2, size)),
  );
  return [text(1, name), message(2, message(1, integer(1, ELEMENT[type]), message(2, ...dimensions)))];
}

function tensor(name: string, values: Float32Array | BigInt64Array, shape: readonly number[]): Buffer {
  return Buffer.concat([
    ...shape.map((size) => integer(1, size)),
    integer(2, values instanceof Float32Array ? ELEMENT.float32 : ELEMENT.int64),
    text(8, name),
    message(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  ]);
}

/** A network in the making. Values are known by their names. */
export class NetworkWriter {
  readonly #nodes: Buffer[] = [];
  readonly #initializers: Buffer[] = [];
  readonly #inputs: Buffer[] = [];
  readonly #outputs: Buffer[] = [];
  #count = 0;

  input(name: string, type: ElementType, shape: Shape): string {
    this.#inputs.push(message(11, ...valueInfo(name, type, shape)));
    return name;
  }

  /** Declares a value as an output; a node must have that name. */
  output(name: string, type: ElementType, shape: Shape): void {
    this.#outputs.push(message(12, ...valueInfo(name, type, shape)));
  }

  floats(values: readonly number[] | Float32Array, shape: readonly number[]): string {
    const name = `w${this.#count++}`;
    this.#initializers.push(message(5, tensor(name, Float32Array.from(values), shape)));
    return name;
  }

  integers(values: readonly number[], shape: readonly number[] = [values.length]): string {
    const name = `i${this.#count++}`;
    this.#initializers.push(message(5, tensor(name, BigInt64Array.from(values, BigInt), shape)));
    return name;
  }

  /** @param as the name of its output, if it matters @returns that name */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    as = `v${this.#count++}`,
  ): string {
    this.#nodes.push(
      message(
        1,
        ...inputs.map((name) => text(1, name)),
        text(2, as),
        text(4, operator),
        ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
      ),
    );
    return as;
  }

  /** An initializer whose values are said to be in another file. */
  elsewhere(type: ElementType, shape: readonly number[]): string {
    const name = `e${this.#count++}`;
    const dims = shape.map((size) => integer(1, size));
    const place = message(13, text(1, 'location'), text(2, 'weights.bin'));
    this.#initializers.push(
      message(5, ...dims, integer(2, ELEMENT[type]), text(8, name), place, integer(14, 1)),
    );
    return name;
  }

  /** The graph alone, as a field of that number. */
  graph(field: number): Buffer {
    return message(
      field,
      ...this.#nodes,
      text(2, 'generated'),
      ...this.#initializers,
      ...this.#inputs,
      ...this.#outputs,
    );
  }

  /** The file. @param metadata before the graph, as exporters that add it late do not @param opset of ONNX's operators */
  build(metadata: Readonly<Record<string, string>> = {}, opset = 13): Buffer {
    const entries = Object.entries(metadata).map(([key, value]) => message(14, text(1, key), text(2, value)));
    return Buffer.concat([integer(1, 8), message(8, integer(2, opset)), this.graph(7), ...entries]);
  }
}
