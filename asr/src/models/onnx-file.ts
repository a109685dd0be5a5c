/**
 * What an ONNX file says of itself: its metadata, inputs and outputs. onnxruntime-node does not hand out metadata, and a
 * network's weights can be 600 MB: the protobuf (onnx.proto3) is walked field by field, weights are stepped over unread.
 */

/** Random access to a file's bytes. */
export interface ByteSource {
  readonly length: number;
  /** @returns the bytes from `at` on, `count` of them or as many as there are */
  read(at: number, count: number): Uint8Array;
}

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

const WINDOW = 64 * 1024;
/** A metadata value or a tensor's description that is longer is not one. */
const MOST_BYTES = 4 * 1024 * 1024;
const LENGTH_DELIMITED = 2;

class BrokenOnnx extends Error {}

interface Field {
  readonly number: number;
  readonly wire: number;
  /** Of its body. */
  readonly begin: number;
  readonly end: number;
  /** Of a varint. */
  readonly value: number;
}

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
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  model(): OnnxFile {
    const metadata = new Map<string, string>();
    const inputs: OnnxValue[] = [];
    const outputs: OnnxValue[] = [];
    let graphs = 0;
    for (const field of this.#fields(0, this.#source.length)) {
      if (field.wire !== LENGTH_DELIMITED) continue;
      if (field.number === MODEL.metadata) this.#entry(field, metadata);
      if (field.number !== MODEL.graph) continue;
      graphs++;
      for (const part of this.#fields(field.begin, field.end)) {
        if (part.wire !== LENGTH_DELIMITED) continue;
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
    for (const field of this.#fields(entry.begin, entry.end)) {
      if (field.wire !== LENGTH_DELIMITED) continue;
      if (field.number === ENTRY.key) key = this.#text(field);
      if (field.number === ENTRY.value) value = this.#text(field);
    }
    into.set(key, value);
  }

  #value(info: Field): OnnxValue {
    let name = '';
    let type: OnnxValue['type'] = 'other';
    const shape: (number | string)[] = [];
    for (const field of this.#fields(info.begin, info.end)) {
      if (field.wire !== LENGTH_DELIMITED) continue;
      if (field.number === VALUE.name) name = this.#text(field);
      if (field.number !== VALUE.type) continue;
      for (const kind of this.#fields(field.begin, field.end)) {
        if (kind.wire !== LENGTH_DELIMITED || kind.number !== TYPE_TENSOR) continue;
        for (const part of this.#fields(kind.begin, kind.end)) {
          if (part.number === TENSOR.elementType) type = ELEMENT_TYPES[part.value] ?? 'other';
          if (part.number === TENSOR.shape && part.wire === LENGTH_DELIMITED) this.#shape(part, shape);
        }
      }
    }
    return { name, type, shape };
  }

  #shape(shape: Field, into: (number | string)[]): void {
    for (const dimension of this.#fields(shape.begin, shape.end)) {
      if (dimension.number !== SHAPE_DIMENSION || dimension.wire !== LENGTH_DELIMITED) continue;
      let size: number | string = '';
      for (const field of this.#fields(dimension.begin, dimension.end)) {
        if (field.number === DIMENSION.value && field.wire === 0) size = field.value;
        if (field.number === DIMENSION.parameter && field.wire === LENGTH_DELIMITED) size = this.#text(field);
      }
      into.push(size);
    }
  }

  /** The fields of a message, bodies unread. */
  *#fields(begin: number, end: number): Generator<Field> {
    let at = begin;
    while (at < end) {
      const tag = this.#varint(at, end);
      const wire = tag.value % 8;
      const number = Math.floor(tag.value / 8);
      if (number === 0) throw new BrokenOnnx(`byte ${at} begins no field`);
      let body = tag.end;
      let value = 0;
      let next: number;
      if (wire === 0) ({ value, end: next } = this.#varint(body, end));
      else if (wire === 1) next = body + 8;
      else if (wire === 5) next = body + 4;
      else if (wire === LENGTH_DELIMITED) {
        const length = this.#varint(body, end);
        body = length.end;
        next = body + length.value;
      } else throw new BrokenOnnx(`byte ${at} begins a field of unknown kind ${wire}`);
      if (next > end)
        throw new BrokenOnnx(`it breaks off: the field at byte ${at} goes on to byte ${next} of ${end}`);
      yield { number, wire, begin: body, end: next, value };
      at = next;
    }
  }

  /** Values beyond 2^53 (negative ones are such) lose their low bits: no caller wants them. */
  #varint(at: number, end: number): { value: number; end: number } {
    let value = 0;
    let scale = 1;
    for (let i = at; i < at + 10; i++) {
      if (i >= end) throw new BrokenOnnx(`it breaks off at byte ${end}`);
      const byte = this.#byte(i);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return { value, end: i + 1 };
      scale *= 128;
    }
    throw new BrokenOnnx(`byte ${at} begins a number that does not end`);
  }

  #text(field: Field): string {
    const count = field.end - field.begin;
    if (count > MOST_BYTES) throw new BrokenOnnx(`the text at byte ${field.begin} has ${count} bytes`);
    return Buffer.from(this.#source.read(field.begin, count)).toString('utf8');
  }

  #byte(at: number): number {
    const within = at - this.#windowAt;
    if (within >= 0 && within < this.#window.length) return this.#window[within]!;
    this.#windowAt = at;
    this.#window = this.#source.read(at, WINDOW);
    const byte = this.#window[0];
    if (byte === undefined) throw new BrokenOnnx(`it breaks off at byte ${at}`);
    return byte;
  }
}

/** A file in memory. */
export const bytesSource = (bytes: Uint8Array): ByteSource => ({
  length: bytes.length,
  read: (at, count) => bytes.subarray(at, at + count),
});
