/** What the rules for 1-D convolutions have in common. */
import type { Graph } from './graph.ts';
import { type GraphNode, integersOf } from './parse.ts';

export interface Conv1d {
  readonly node: GraphNode;
  /** Of its weights, which are in the file: [outputs, inputs / group, kernel]. */
  readonly dims: readonly [number, number, number];
  readonly group: number;
  readonly dilations: readonly number[];
  /** Before and after. */
  readonly pads: readonly number[];
  readonly strides: readonly number[];
}

const KNOWN = new Set(['auto_pad', 'dilations', 'group', 'kernel_shape', 'pads', 'strides']);

export const convolutions1d = (graph: Graph): Conv1d[] => graph.nodes().flatMap((node) => read(graph, node));

function read(graph: Graph, node: GraphNode): Conv1d[] {
  const { operator, domain, attributes, inputs, outputs } = node;
  const weights = graph.initializer(inputs[1] ?? '');
  if (operator !== 'Conv' || domain !== '' || weights?.dims.length !== 3) return [];
  const isKnown = [...attributes.keys()].every((name) => KNOWN.has(name));
  if (!isKnown || (attributes.get('auto_pad') ?? 'NOTSET') !== 'NOTSET') return [];
  // onnxruntime folds a normalisation into the convolution before it, not across a change of shape.
  const isNormalised = graph
    .consumers(outputs[0]!)
    .some((consumer) => consumer.operator === 'BatchNormalization');
  if (isNormalised) return [];
  const group = attributes.get('group') ?? 1;
  const list = (name: string, otherwise: readonly number[]): readonly number[] | null =>
    attributes.has(name) ? integersOf(node, name) : otherwise;
  const [dilations, pads, strides] = [list('dilations', [1]), list('pads', [0, 0]), list('strides', [1])];
  if (typeof group !== 'number' || dilations?.length !== 1 || strides?.length !== 1 || pads?.length !== 2) {
    return [];
  }
  const dims = weights.dims as [number, number, number];
  return [{ node, dims, group, dilations, pads, strides }];
}

/** Whether nothing sees the weights but convolutions that are rewritten alike: their dimensions are changed in place. */
export function hasWeightsToItself(graph: Graph, { node }: Conv1d, alike: readonly Conv1d[]): boolean {
  const weights = node.inputs[1]!;
  const nodes = alike.map((conv) => conv.node);
  return (
    graph.isSeenOnlyBy(weights, ...nodes) &&
    graph
      .consumers(weights)
      .every((other) => other.inputs.lastIndexOf(weights) === 1 && other.inputs[0] !== weights)
  );
}
