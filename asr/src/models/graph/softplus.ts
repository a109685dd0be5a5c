import type { Graph, NewNode } from './graph.ts';
import type { GraphNode } from './parse.ts';

/** The largest number whose exponential, and that plus one, is a float32 for certain. */
const MOST = 87;
/** Of a Swoosh's constants, which are 4 at most in icefall: e^-q, a term of the sum, is to be near 1. */
const MOST_CONSTANT = 8;

/**
 * log(1 + e^d) as torch exports it for want of a logaddexp, max(d, 0) + log(1 + e^-|d|), becomes log(1 + e^min(d, 87)): four
 * passes over the values instead of nine. Where it is part of a Swoosh (icefall's activation, log(1 + e^(x - c)) - a x - k)
 * the last subtraction goes, and x need not be kept meanwhile: with q = (k + a c) / (1 - a) and z = x - c - q it is
 * log(e^-q + e^z) - a z.
 *
 * Above 87, where the exponential would leave float32, the result stays what it is at 87. An activation sees sums of a
 * network's weights and normalised values (icefall's training holds their mean size to some ten); one beyond stays finite. Below, both forms differ by what float32 rounds.
 * @returns how many
 */
export function shortenSoftplus(graph: Graph): number {
  const constants = new Map<number, string>();
  const constant = (value: number): string => {
    if (!constants.has(value)) constants.set(value, graph.addFloat(value));
    return constants.get(value)!;
  };
  let count = 0;
  for (const log of graph.nodes()) {
    const softplus = matchSoftplus(graph, log);
    if (softplus === null) continue;
    const swoosh = matchSwoosh(graph, softplus);
    if (swoosh === null) writeSoftplus(graph, softplus, constant);
    else writeSwoosh(graph, swoosh, constant);
    count++;
  }
  return count;
}

interface Softplus {
  /** d */
  readonly of: string;
  /** Makes the result. */
  readonly last: GraphNode;
  /** Nodes that see d and go. */
  readonly readers: readonly GraphNode[];
}

/** The operands of a node of two, in either order, told apart by the second. */
function operands<T>(
  node: GraphNode | null | undefined,
  second: (name: string) => T | null,
): { readonly first: string; readonly second: T } | null {
  if (node?.inputs.length !== 2) return null;
  for (const i of [1, 0]) {
    const found = second(node.inputs[i]!);
    if (found !== null) return { first: node.inputs[1 - i]!, second: found };
  }
  return null;
}

const isNode = (node: GraphNode | undefined, operator: string): node is GraphNode =>
  node?.operator === operator && node.domain === '';

function matchSoftplus(graph: Graph, log: GraphNode): Softplus | null {
  if (!isNode(log, 'Log')) return null;
  const sum = graph.made(log.inputs[0], 'Add');
  const exponential = operands(sum, (name) => (graph.scalar(name) === 1 ? name : null))?.first;
  const exp = graph.made(exponential, 'Exp');
  const negative = graph.made(exp?.inputs[0], 'Neg');
  const absolute = graph.made(negative?.inputs[0], 'Abs');
  const [last] = graph.consumers(log.outputs[0]!);
  if (absolute === null || !isNode(last, 'Add')) return null;
  const maximum = operands(last, (name) => graph.made(name, 'Max'))?.second;
  if (maximum?.inputs.length !== 2) return null;
  for (const [of, other] of [maximum.inputs, maximum.inputs.toReversed()] as [string, string][]) {
    const zero = zeroLike(graph, other, of);
    if (zero === null) continue;
    const readers = [maximum, ...zero];
    const chain = [sum!, exp!, negative!, absolute];
    if (absolute.inputs[0] === of) readers.push(absolute);
    else {
      // |d - 0| or |0 - d|
      const difference = graph.made(absolute.inputs[0], 'Sub');
      const subtracted = operands(difference, (name) => (name === of ? name : null))?.first;
      if (subtracted === undefined || zeroLike(graph, subtracted, of) === null) continue;
      chain.push(difference!);
      readers.push(difference!, ...zeroLike(graph, subtracted, of)!);
    }
    const isAlone = chain.every(({ outputs }, i) =>
      graph.isSeenOnlyBy(outputs[0]!, i === 0 ? log : chain[i - 1]!),
    );
    const ends = [log, maximum].every(({ outputs }) => graph.isSeenOnlyBy(outputs[0]!, last));
    if (isAlone && ends) return { of, last, readers };
  }
  return null;
}

/** Whether a value is zero, alone or in the shape of another; then the nodes that take that shape. */
function zeroLike(graph: Graph, name: string, other: string): readonly GraphNode[] | null {
  if (graph.scalar(name) === 0) return [];
  const filled = graph.made(name, 'ConstantOfShape');
  const shape = graph.made(filled?.inputs[0], 'Shape');
  if (filled === null || shape?.inputs[0] !== other || shape.attributes.size > 0) return null;
  // Without a value it fills with float32 zeros.
  const isZero = !filled.attributes.has('value') || graph.floatsOf(filled, 'value')?.values[0] === 0;
  return isZero ? [shape] : null;
}

interface Swoosh {
  readonly x: string;
  readonly shift: number;
  readonly slope: number;
  readonly offset: number;
  /** Makes the result. */
  readonly last: GraphNode;
}

function matchSwoosh(graph: Graph, { of, last, readers }: Softplus): Swoosh | null {
  const shifted = graph.made(of, 'Sub');
  const shift = graph.scalar(shifted?.inputs[1]);
  const sloped = graph.consumers(last.outputs[0]!)[0];
  if (shifted === null || shift === null || !isNode(sloped, 'Sub')) return null;
  if (sloped.inputs[0] !== last.outputs[0]) return null;
  const x = shifted.inputs[0]!;
  const line = graph.made(sloped.inputs[1], 'Mul');
  const slope = operands(line, (name) => graph.scalar(name));
  if (line === null || slope?.first !== x || !(slope.second >= 0 && slope.second <= 0.5)) return null;
  const isAlone =
    graph.isSeenOnlyBy(of, ...readers) &&
    graph.isSeenOnlyBy(last.outputs[0]!, sloped) &&
    graph.isSeenOnlyBy(line.outputs[0]!, sloped);
  if (!isAlone) return null;
  if (!(Math.abs(shift) <= MOST_CONSTANT)) return null;
  const found = { x, shift, slope: slope.second };
  const lowered = graph.consumers(sloped.outputs[0]!)[0];
  const offset = isNode(lowered, 'Sub') ? graph.scalar(lowered.inputs[1]) : null;
  if (
    lowered === undefined ||
    offset === null ||
    !(Math.abs(offset) <= MOST_CONSTANT) ||
    !graph.isSeenOnlyBy(sloped.outputs[0]!, lowered)
  ) {
    return { ...found, offset: 0, last: sloped };
  }
  return { ...found, offset, last: lowered };
}

type Constants = (value: number) => string;

function writeSoftplus(graph: Graph, { of, last }: Softplus, constant: Constants): void {
  graph.replace(last, logOfSum(graph, of, 1, last.outputs[0]!, constant).nodes);
}

function writeSwoosh(graph: Graph, { x, shift, slope, offset, last }: Swoosh, constant: Constants): void {
  const more = (offset + slope * shift) / (1 - slope);
  const [z, line] = [graph.freshName(), graph.freshName()];
  const log = logOfSum(graph, z, Math.exp(-more), graph.freshName(), constant);
  graph.replace(last, [
    { operator: 'Sub', inputs: [x, constant(shift + more)], output: z },
    ...log.nodes,
    { operator: 'Mul', inputs: [log.bounded, constant(slope)], output: line },
    { operator: 'Sub', inputs: [log.result, line], output: last.outputs[0]! },
  ]);
}

/** log(a + e^min(x, 87)) */
function logOfSum(graph: Graph, x: string, a: number, result: string, constant: Constants) {
  const [bounded, power, sum] = [graph.freshName(), graph.freshName(), graph.freshName()];
  const nodes: NewNode[] = [
    { operator: 'Clip', inputs: [x, '', constant(MOST)], output: bounded },
    { operator: 'Exp', inputs: [bounded], output: power },
    { operator: 'Add', inputs: [power, constant(a)], output: sum },
    { operator: 'Log', inputs: [sum], output: result },
  ];
  return { nodes, bounded, result };
}
