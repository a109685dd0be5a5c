/**
 * What an ONNX file says of itself: its metadata, inputs and outputs. onnxruntime-node does not hand out metadata, and a
 * network's weights can be 600 MB: the protobuf (onnx.proto3) is walked field by field, weights are stepped over unread.
 */
import { BrokenOnnx, type ByteSource, type Field, FieldReader, WIRE } from './protobuf.ts';

export interface OnnxValue {
  readonly name: string;
  /** onnxruntime's name of the element type; `other` for what no loader here knows. */
  readonly type: 'float32' | 'float16' | 'int32' | 'int64' | 'other';
  /** A text is a symbolic dimension. */
  readonly shape: readonly (number | string)[];
}

export interface OnnxFile {
  readonly metadata: ReadonlyMap<string, string>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

export type OnnxRead =
  { readonly ok: true; readonly file: OnnxFile } | { readonly ok: false; readonly fault: string };

/** onnx.proto3's field numbers. */
const MODEL = { graph: 7, metadata: 14 } as const;
const GRAPH = { input: 11, output: 12 } as const;
const ENTRY = { key: 1, value: 2 } as const;
const VALUE = { name: 1, type: 2 } as const;
const TYPE_TENSOR = 1;
const TENSOR = { elementType: 1, shape: 2 } as const;
const SHAPE_DIMENSION = 1;
const DIMENSION = { value: 1, parameter: 2 } as const;
const ELEMENT_TYPES: Readonly<Record<number, OnnxValue['type']>> = {
  1: 'float32',
  6: 'int32',
  7: 'int64',
  10: 'float16',
};

/** @returns what the file says, or where it breaks off; never throws for what the bytes hold */
export function readOnnx(source: ByteSource): OnnxRead {
  try {
    return { ok: true, file: new Walker(source).model() };
  } catch (error) {
    if (error instanceof BrokenOnnx) return { ok: false, fault: error.message };
    throw error;
  }
}

class Walker {
  readonly #source: ByteSource;
  readonly #reader: FieldReader;

  constructor(source: ByteSource) {
    this.#source = source;
    this.#reader = new FieldReader(source);
  }

  model(): OnnxFile {
    const metadata = new Map<string, string>();
    const inputs: OnnxValue[] = [];
    const outputs: OnnxValue[] = [];
    let graphs = 0;
    for (const field of this.#reader.fields(0, this.#source.length)) {
      if (field.wire !== WIRE.lengthDelimited) continue;
      if (field.number === MODEL.metadata) this.#entry(field, metadata);
      if (field.number !== MODEL.graph) continue;
      graphs++;
      for (const part of this.#reader.fields(field.begin, field.end)) {
        if (part.wire !== WIRE.lengthDelimited) continue;
        if (part.number === GRAPH.input) inputs.push(this.#value(part));
        if (part.number === GRAPH.output) outputs.push(this.#value(part));
      }
    }
    if (graphs !== 1) throw new BrokenOnnx('it is no ONNX network: it holds no graph');
    return { metadata, inputs, outputs };
  }

  #entry(entry: Field, into: Map<string, string>): void {
    let key = '';
    let value = '';
    for (const field of this.#reader.fields(entry.begin, entry.end)) {
      if (field.wire !== WIRE.lengthDelimited) continue;
      if (field.number === ENTRY.key) key = this.#reader.text(field);
      if (field.number === ENTRY.value) value = this.#reader.text(field);
    }
    into.set(key, value);
  }

  #value(info: Field): OnnxValue {
    let name = '';
    let type: OnnxValue['type'] = 'other';
    const shape: (number | string)[] = [];
    for (const field of this.#reader.fields(info.begin, info.end)) {
      if (field.wire !== WIRE.lengthDelimited) continue;
      if (field.number === VALUE.name) name = this.#reader.text(field);
      if (field.number !== VALUE.type) continue;
      for (const kind of this.#reader.fields(field.begin, field.end)) {
        if (kind.wire !== WIRE.lengthDelimited || kind.number !== TYPE_TENSOR) continue;
        for (const part of this.#reader.fields(kind.begin, kind.end)) {
          if (part.number === TENSOR.elementType) type = ELEMENT_TYPES[part.value] ?? 'other';
          if (part.number === TENSOR.shape && part.wire === WIRE.lengthDelimited) this.#shape(part, shape);
        }
      }
    }
    return { name, type, shape };
  }

  #shape(shape: Field, into: (number | string)[]): void {
    for (const dimension of this.#reader.fields(shape.begin, shape.end)) {
      if (dimension.number !== SHAPE_DIMENSION || dimension.wire !== WIRE.lengthDelimited) continue;
      let size: number | string = '';
      for (const field of this.#reader.fields(dimension.begin, dimension.end)) {
        if (field.number === DIMENSION.value && field.wire === WIRE.varint) size = field.value;
        if (field.number === DIMENSION.parameter && field.wire === WIRE.lengthDelimited)
          size = this.#reader.text(field);
      }
      into.push(size);
    }
  }
}
