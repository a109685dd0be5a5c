/** A network's graph that rules can ask and change; what they leave alone is carried over byte by byte. */
import { type ByteSource, FieldReader } from '../protobuf.ts';
import {
  ATTRIBUTE,
  ELEMENT,
  GRAPH,
  type GraphNode,
  MICROSOFT,
  MODEL,
  NODE,
  OPSET,
  type ParsedGraph,
  TENSOR,
  type TensorHead,
  floatValues,
  parseGraph,
} from './parse.ts';
import { type Piece, assemble, integerField, messageField, textField } from './pieces.ts';

/** A node that is made: its attributes are an integer or several. */
export interface NewNode {
  readonly operator: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

export interface Floats {
  readonly values: Float32Array;
  readonly dims: readonly number[];
}

const ATTRIBUTE_INTEGER = 2;
const ATTRIBUTE_INTEGERS = 7;

export class Graph {
  /** The version of ONNX's own operators. */
  readonly opset: number;
  readonly #source: ByteSource;
  readonly #reader: FieldReader;
  readonly #parsed: ParsedGraph;
  readonly #producers = new Map<string, GraphNode>();
  /** A node that takes a value twice is there twice. */
  readonly #consumers = new Map<string, GraphNode[]>();
  /** What stands in the place of a node that is gone. */
  readonly #instead = new Map<GraphNode, readonly GraphNode[]>();
  readonly #dims = new Map<string, readonly number[]>();
  readonly #constants: Piece[] = [];
  #fresh = 0;
  #needsMicrosoft = false;

  /** @throws Unsuited when the network is to be left alone, BrokenOnnx for what is no network */
  constructor(source: ByteSource) {
    this.#source = source;
    this.#reader = new FieldReader(source);
    this.#parsed = parseGraph(this.#reader, source.length);
    this.opset = this.#parsed.opset;
    for (const node of this.#parsed.nodes) this.#connect(node);
  }

  /** All nodes as they are now, producers before consumers. */
  nodes(): GraphNode[] {
    const all: GraphNode[] = [];
    const add = (node: GraphNode): void => {
      const instead = this.#instead.get(node);
      if (instead === undefined) all.push(node);
      else instead.forEach(add);
    };
    this.#parsed.nodes.forEach(add);
    return all;
  }

  /** The node that makes a value, if it is one of ONNX's own operators and this one. */
  made(name: string | undefined, operator: string): GraphNode | null {
    const node = this.#producers.get(name ?? '');
    return node?.operator === operator && node.domain === '' ? node : null;
  }

  consumers(name: string): readonly GraphNode[] {
    return this.#consumers.get(name) ?? [];
  }

  isOutput(name: string): boolean {
    return this.#parsed.outputs.has(name);
  }

  /** Whether nothing but these nodes sees a value. */
  isSeenOnlyBy(name: string, ...nodes: readonly GraphNode[]): boolean {
    return !this.isOutput(name) && this.consumers(name).every((node) => nodes.includes(node));
  }

  /** A tensor of the file whose values nobody can change from outside. */
  initializer(name: string): TensorHead | null {
    return this.#parsed.inputs.has(name) ? null : (this.#parsed.initializers.get(name) ?? null);
  }

  /** The values of a float32 constant of at most 1 MiB, with its shape. */
  floats(name: string | undefined): Floats | null {
    const constant = this.made(name, 'Constant');
    return constant === null ? this.#values(this.initializer(name ?? '')) : this.floatsOf(constant, 'value');
  }

  /** The same of a tensor that is a node's attribute. */
  floatsOf(node: GraphNode, attribute: string): Floats | null {
    const value = node.attributes.get(attribute) ?? null;
    return typeof value === 'object' && value !== null && 'rest' in value ? this.#values(value) : null;
  }

  /** The value of a float32 constant without dimensions. */
  scalar(name: string | undefined): number | null {
    const constant = this.floats(name);
    return constant !== null && constant.dims.length === 0 ? constant.values[0]! : null;
  }

  /** @returns the name of a float32 constant without dimensions */
  addFloat(value: number): string {
    return this.#addConstant(ELEMENT.float32, [], new Uint8Array(Float32Array.of(value).buffer));
  }

  /** @returns the name of an int64 constant of one dimension */
  addIntegers(values: readonly number[]): string {
    const data = BigInt64Array.from(values, BigInt);
    return this.#addConstant(ELEMENT.int64, [data.length], new Uint8Array(data.buffer));
  }

  /** Gives an initializer other dimensions over the same values. */
  reshape(name: string, dims: readonly number[]): void {
    this.#dims.set(name, dims);
  }

  /** @returns a name that the network does not have */
  freshName(): string {
    for (;;) {
      const name = `earshot.${this.#fresh++}`;
      const { initializers, inputs } = this.#parsed;
      const isTaken = initializers.has(name) || inputs.has(name) || this.#producers.has(name);
      if (!isTaken && !this.#consumers.has(name)) return name;
    }
  }

  /**
   * Puts nodes in the place of one. They may take whatever it took, or what comes before it; one of them makes what it
   * made, unless nothing sees that.
   */
  replace(node: GraphNode, by: readonly NewNode[]): void {
    this.#put(node, by.map(nodeOf));
  }

  /** Takes away what nothing sees. */
  removeUnseen(): void {
    for (const node of this.nodes().reverse()) {
      const isSeen = node.outputs.some((name) => this.isOutput(name) || this.consumers(name).length > 0);
      if (!isSeen) this.#put(node, []);
    }
  }

  /** The file as it is now. */
  write(): Uint8Array {
    const { initializers, aroundGraph, aroundNodes } = this.#parsed;
    const body = this.nodes().flatMap(piecesOf);
    for (const [name, tensor] of initializers) {
      const dims = this.#dims.get(name);
      if (dims === undefined) body.push(tensor.whole);
      else body.push(...messageField(GRAPH.initializer, [...dimsFields(dims), ...tensor.rest]));
    }
    const opset =
      this.#needsMicrosoft && !this.#parsed.hasMicrosoft
        ? messageField(MODEL.opset, [...textField(OPSET.domain, MICROSOFT), integerField(OPSET.version, 1)])
        : [];
    const graph = messageField(MODEL.graph, [...body, ...this.#constants, ...aroundNodes]);
    return assemble([...aroundGraph, ...opset, ...graph], this.#source);
  }

  #values(tensor: TensorHead | null): Floats | null {
    const values = tensor === null ? null : floatValues(this.#reader, tensor);
    return values === null ? null : { values, dims: tensor!.dims };
  }

  #addConstant(type: number, dims: readonly number[], bytes: Uint8Array): string {
    const name = this.freshName();
    const head = [...dimsFields(dims), integerField(TENSOR.type, type), ...textField(TENSOR.name, name)];
    this.#constants.push(...messageField(GRAPH.initializer, [...head, ...messageField(TENSOR.raw, [bytes])]));
    return name;
  }

  #put(node: GraphNode, by: readonly GraphNode[]): void {
    for (const name of node.outputs) this.#producers.delete(name);
    for (const name of node.inputs) {
      const consumers = this.#consumers.get(name)!;
      consumers.splice(consumers.indexOf(node), 1);
    }
    this.#instead.set(node, by);
    by.forEach((other) => this.#connect(other));
  }

  #connect(node: GraphNode): void {
    if (node.domain === MICROSOFT) this.#needsMicrosoft = true;
    for (const name of node.outputs) this.#producers.set(name, node);
    for (const name of node.inputs) {
      const consumers = this.#consumers.get(name);
      if (consumers === undefined) this.#consumers.set(name, [node]);
      else consumers.push(node);
    }
  }
}

const nodeOf = ({ operator, domain = '', inputs, output, attributes = {} }: NewNode): GraphNode => ({
  ...{ operator, domain, inputs, outputs: [output] },
  attributes: new Map(Object.entries(attributes)),
  rest: null,
  whole: null,
});

const dimsFields = (dims: readonly number[]): Piece[] => dims.map((size) => integerField(TENSOR.dims, size));

function piecesOf({ operator, domain, inputs, outputs, attributes, rest, whole }: GraphNode): Piece[] {
  if (whole !== null) return [whole];
  const inputFields = inputs.flatMap((name) => textField(NODE.input, name));
  if (rest !== null) return messageField(GRAPH.node, [...inputFields, ...rest]);
  return messageField(GRAPH.node, [
    ...inputFields,
    ...outputs.flatMap((name) => textField(NODE.output, name)),
    ...textField(NODE.operator, operator),
    ...(domain === '' ? [] : textField(NODE.domain, domain)),
    ...[...attributes].flatMap(([name, value]) =>
      messageField(NODE.attribute, attributeFields(name, value as number | readonly number[])),
    ),
  ]);
}

function attributeFields(name: string, value: number | readonly number[]): Piece[] {
  const isOne = typeof value === 'number';
  const values = isOne
    ? [integerField(ATTRIBUTE.integer, value)]
    : value.map((item) => integerField(ATTRIBUTE.integers, item));
  const type = integerField(ATTRIBUTE.type, isOne ? ATTRIBUTE_INTEGER : ATTRIBUTE_INTEGERS);
  return [...textField(ATTRIBUTE.name, name), ...values, type];
}
