import { type Conv1d, convolutions1d, hasWeightsToItself } from './conv1d.ts';
import type { Graph } from './graph.ts';
import { MICROSOFT } from './parse.ts';

/**
 * 1-D convolutions of width 1 become products of all frames of a batch with the weights: onnxruntime multiplies the weights
 * with the few frames of each row by themselves.
 * @returns how many
 */
export function multiplyPointwiseConvolutions(graph: Graph): number {
  const candidates = convolutions1d(graph).filter(isPointwise);
  const rewritten = candidates.filter((conv) => hasWeightsToItself(graph, conv, candidates));
  for (const { node, dims } of rewritten) {
    const [x, weights, bias = ''] = node.inputs as [string, string, string?];
    const [frames, product, sum] = [graph.freshName(), graph.freshName(), graph.freshName()];
    const swapped = { perm: [0, 2, 1] };
    graph.reshape(weights, dims.slice(0, 2));
    graph.replace(node, [
      { operator: 'Transpose', inputs: [x], output: frames, attributes: swapped },
      {
        operator: 'FusedMatMul',
        domain: MICROSOFT,
        inputs: [frames, weights],
        output: product,
        attributes: { transB: 1 },
      },
      ...(bias === '' ? [] : [{ operator: 'Add', inputs: [product, bias], output: sum }]),
      {
        operator: 'Transpose',
        inputs: [bias === '' ? product : sum],
        output: node.outputs[0]!,
        attributes: swapped,
      },
    ]);
  }
  return rewritten.length;
}

const isPointwise = ({ dims, group, strides, pads }: Conv1d): boolean =>
  dims[2] === 1 && group === 1 && strides[0] === 1 && pads.every((pad) => pad === 0);
