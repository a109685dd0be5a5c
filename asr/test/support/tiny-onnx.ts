/** Just enough of ONNX's protobuf (onnx.proto3) to write networks with the wrong tensors. */
export type TensorType = 'float32' | 'int32' | 'float16';

export interface TinyTensor {
  readonly name: string;
  readonly type: TensorType;
  /** A text is a symbolic dimension. */
  readonly shape: readonly (number | string)[];
}

const TYPE_NUMBERS: Readonly<Record<TensorType, number>> = { float32: 1, int32: 6, float16: 10 };

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}
const integer = (field: number, value: number): number[] => [...varint(field * 8), ...varint(value)];
const message = (field: number, bytes: readonly number[]): number[] => [
  ...varint(field * 8 + 2),
  ...varint(bytes.length),
  ...bytes,
];
const text = (field: number, value: string): number[] => message(field, [...Buffer.from(value)]);

function valueInfo({ name, type, shape }: TinyTensor): number[] {
  const dimensions = shape.flatMap((size) =>
    message(1, typeof size === 'number' ? integer(1, size) : text(2, size)),
  );
  const tensorType = [...integer(1, TYPE_NUMBERS[type]), ...message(2, dimensions)];
  return [...text(1, name), ...message(2, message(1, tensorType))];
}

/** A network that hands its inputs through: output n is input n. */
export function tinyNetwork(inputs: readonly TinyTensor[], outputs: readonly TinyTensor[]): Uint8Array {
  const nodes = outputs.flatMap(({ name }, i) =>
    message(1, [...text(1, inputs[i]!.name), ...text(2, name), ...text(4, 'Identity')]),
  );
  const graph = [
    ...nodes,
    ...text(2, 'tiny'),
    ...inputs.flatMap((tensor) => message(11, valueInfo(tensor))),
    ...outputs.flatMap((tensor) => message(12, valueInfo(tensor))),
  ];
  return Uint8Array.from([...integer(1, 8), ...message(8, integer(2, 16)), ...message(7, graph)]);
}
