/** A network's nodes and what its constants are called, from the file; weights stay where they are. */
import { type Field, type FieldReader, WIRE } from '../protobuf.ts';
import type { Stretch } from './pieces.ts';

/** onnx.proto3's field numbers. */
export const MODEL = { opset: 8, graph: 7, functions: 25 } as const;
export const OPSET = { domain: 1, version: 2 } as const;
export const GRAPH = { node: 1, initializer: 5, input: 11, output: 12 } as const;
export const NODE = { input: 1, output: 2, operator: 4, attribute: 5, domain: 7 } as const;
export const ATTRIBUTE = {
  name: 1,
  float: 2,
  integer: 3,
  text: 4,
  tensor: 5,
  integers: 8,
  type: 20,
} as const;
const SUBGRAPHS = [6, 11];
export const TENSOR = { dims: 1, type: 2, floats: 4, integers: 7, name: 8, raw: 9 } as const;
const EXTERNAL = { entries: 13, location: 14 } as const;
const VALUE_NAME = 1;
export const ELEMENT = { float32: 1, int64: 7 } as const;

/** A network that is left alone: what it holds is beyond the rewriting. */
export class Unsuited extends Error {}

export interface TensorHead {
  readonly name: string;
  readonly dims: readonly number[];
  /** onnx.proto3's number of the element type. */
  readonly type: number;
  /** Its values, in one of two fields; null: elsewhere or none. */
  readonly raw: Field | null;
  readonly floats: readonly Field[];
  /** All of it but the dimensions. */
  readonly rest: readonly Stretch[];
}

/** null: of a kind that no rule asks for. */
export type Attribute = number | readonly number[] | string | TensorHead | null;

export interface GraphNode {
  readonly operator: string;
  /** Empty: ONNX's own. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** In the file: all of the node but its inputs; null: it was made here. */
  readonly rest: readonly Stretch[] | null;
  /** In the file, its field's number included; null: it was made or changed here. */
  readonly whole: Stretch | null;
}

/** An attribute of several integers; null: it has none of that name, or of another kind. */
export function integersOf(node: GraphNode, name: string): readonly number[] | null {
  const value = node.attributes.get(name);
  return typeof value === 'object' && value !== null && !('rest' in value) ? value : null;
}

export interface ParsedGraph {
  /** Of ONNX's own operators. */
  readonly opset: number;
  readonly hasMicrosoft: boolean;
  readonly nodes: readonly GraphNode[];
  readonly initializers: ReadonlyMap<string, TensorHead & { readonly whole: Stretch }>;
  readonly inputs: ReadonlySet<string>;
  readonly outputs: ReadonlySet<string>;
  /** Of the model, and of its graph: what is neither node nor initializer. */
  readonly aroundGraph: readonly Stretch[];
  readonly aroundNodes: readonly Stretch[];
}

export const MICROSOFT = 'com.microsoft';

const stretchOf = ({ at, end }: Field): Stretch => ({ begin: at, end });

/** @throws Unsuited, and BrokenOnnx for what is no protobuf */
export function parseGraph(reader: FieldReader, length: number): ParsedGraph {
  const opsets = new Map<string, number>();
  const nodes: GraphNode[] = [];
  const initializers = new Map<string, TensorHead & { readonly whole: Stretch }>();
  const inputs = new Set<string>();
  const outputs = new Set<string>();
  const aroundGraph: Stretch[] = [];
  const aroundNodes: Stretch[] = [];
  let graphs = 0;
  for (const field of reader.fields(0, length)) {
    if (field.number === MODEL.functions) throw new Unsuited('it has functions');
    if (field.number === MODEL.opset) readOpset(reader, field, opsets);
    if (field.number !== MODEL.graph) aroundGraph.push(stretchOf(field));
    else {
      if (field.wire !== WIRE.lengthDelimited || ++graphs > 1) throw new Unsuited('it has several graphs');
      for (const part of reader.fields(field.begin, field.end)) {
        if (part.number === GRAPH.node) nodes.push(readNode(reader, part));
        else if (part.number === GRAPH.initializer) {
          const tensor = readTensor(reader, part);
          initializers.set(tensor.name, { ...tensor, whole: stretchOf(part) });
        } else {
          aroundNodes.push(stretchOf(part));
          if (part.number === GRAPH.input) inputs.add(readName(reader, part));
          if (part.number === GRAPH.output) outputs.add(readName(reader, part));
        }
      }
    }
  }
  return {
    opset: opsets.get('') ?? opsets.get('ai.onnx') ?? 0,
    hasMicrosoft: opsets.has(MICROSOFT),
    ...{ nodes, initializers, inputs, outputs, aroundGraph, aroundNodes },
  };
}

function readOpset(reader: FieldReader, field: Field, into: Map<string, number>): void {
  let domain = '';
  let version = 0;
  for (const part of reader.fields(field.begin, field.end)) {
    if (part.number === OPSET.domain) domain = reader.text(part);
    if (part.number === OPSET.version) version = part.value;
  }
  into.set(domain, version);
}

function readName(reader: FieldReader, value: Field): string {
  for (const part of reader.fields(value.begin, value.end)) {
    if (part.number === VALUE_NAME) return reader.text(part);
  }
  return '';
}

function readNode(reader: FieldReader, field: Field): GraphNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, Attribute>();
  const rest: Stretch[] = [];
  let operator = '';
  let domain = '';
  for (const part of reader.fields(field.begin, field.end)) {
    if (part.number === NODE.input) inputs.push(reader.text(part));
    else {
      rest.push(stretchOf(part));
      if (part.number === NODE.output) outputs.push(reader.text(part));
      if (part.number === NODE.operator) operator = reader.text(part);
      if (part.number === NODE.domain) domain = reader.text(part);
      if (part.number === NODE.attribute) readAttribute(reader, part, attributes);
    }
  }
  if (domain === 'ai.onnx') domain = '';
  return { operator, domain, inputs, outputs, attributes, rest, whole: stretchOf(field) };
}

function readAttribute(reader: FieldReader, field: Field, into: Map<string, Attribute>): void {
  let name = '';
  let value: Attribute = null;
  const integers: number[] = [];
  for (const part of reader.fields(field.begin, field.end)) {
    if (SUBGRAPHS.includes(part.number)) throw new Unsuited('it has a graph within the graph');
    if (part.number === ATTRIBUTE.name) name = reader.text(part);
    if (part.number === ATTRIBUTE.float && part.wire === WIRE.fixed32) value = floatAt(reader.bytes(part), 0);
    if (part.number === ATTRIBUTE.integer) value = reader.signed(part.at + 1, part.end).value;
    if (part.number === ATTRIBUTE.text) value = reader.text(part);
    if (part.number === ATTRIBUTE.tensor) value = readTensor(reader, part);
    if (part.number === ATTRIBUTE.integers) integers.push(...readIntegers(reader, part));
  }
  into.set(name, integers.length > 0 ? integers : value);
}

/** Of a repeated integer, packed or not. */
function readIntegers(reader: FieldReader, field: Field): number[] {
  // The numbers of the fields read here are below 16: they take a byte.
  if (field.wire === WIRE.varint) return [reader.signed(field.at + 1, field.end).value];
  const values: number[] = [];
  for (let at = field.begin; at < field.end;) {
    const { value, end } = reader.signed(at, field.end);
    values.push(value);
    at = end;
  }
  return values;
}

function readTensor(reader: FieldReader, field: Field): TensorHead {
  const dims: number[] = [];
  const floats: Field[] = [];
  const rest: Stretch[] = [];
  let name = '';
  let type = 0;
  let raw: Field | null = null;
  for (const part of reader.fields(field.begin, field.end)) {
    if (part.number === EXTERNAL.entries || (part.number === EXTERNAL.location && part.value !== 0)) {
      throw new Unsuited('it has data in other files');
    }
    if (part.number === TENSOR.dims) dims.push(...readIntegers(reader, part));
    else rest.push(stretchOf(part));
    if (part.number === TENSOR.name) name = reader.text(part);
    if (part.number === TENSOR.type) type = part.value;
    if (part.number === TENSOR.raw) raw = part;
    if (part.number === TENSOR.floats) floats.push(part);
  }
  return { name, dims, type, raw, floats, rest };
}

export const floatAt = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat32(at, true);

/** The values of a float32 tensor of at most 1 MiB; null: it is not one, or not as many as its dimensions say. */
export function floatValues(reader: FieldReader, tensor: TensorHead): Float32Array | null {
  const count = tensor.dims.reduce((a, b) => a * b, 1);
  const fields = tensor.raw === null ? tensor.floats : [tensor.raw];
  const bytes = fields.reduce((sum, { begin, end }) => sum + end - begin, 0);
  if (tensor.type !== ELEMENT.float32 || bytes !== 4 * count || bytes > MOST_VALUE_BYTES) return null;
  if (fields.some(({ begin, end }) => (end - begin) % 4 !== 0)) return null;
  const values = new Float32Array(count);
  let at = 0;
  for (const field of fields) {
    const body = reader.bytes(field);
    for (let from = 0; from < body.length; from += 4) values[at++] = floatAt(body, from);
  }
  return values;
}

const MOST_VALUE_BYTES = 1024 * 1024;
