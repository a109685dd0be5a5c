import { type Conv1d, convolutions1d, hasWeightsToItself } from './conv1d.ts';
import type { Graph } from './graph.ts';

/**
 * Depthwise 1-D convolutions become 2-D ones of height 1, [N, C, T] between times [N, C, 1, T]: onnxruntime computes the
 * former channel by channel (im2col and a product for each), the latter by its kernel for depthwise convolutions, 5 to 10
 * times faster. The weights are the same bytes with one more dimension.
 * @returns how many
 */
export function widenDepthwiseConvolutions(graph: Graph): number {
  const candidates = convolutions1d(graph).filter(isDepthwise);
  const rewritten = candidates.filter((conv) => hasWeightsToItself(graph, conv, candidates));
  if (rewritten.length === 0) return 0;
  // The axes are an attribute before opset 13 and an input from then on.
  const isInput = graph.opset >= 13;
  const axes = isInput ? [graph.addIntegers([2])] : [];
  const attributes = isInput ? {} : { axes: [2] };
  for (const { node, dims, group, dilations, pads, strides } of rewritten) {
    const [channels, , kernel] = dims;
    const [x, weights, ...bias] = node.inputs as [string, string, ...string[]];
    const [wide, result] = [graph.freshName(), graph.freshName()];
    const window = {
      dilations: [1, ...dilations],
      kernel_shape: [1, kernel],
      pads: [0, pads[0]!, 0, pads[1]!],
      strides: [1, ...strides],
    };
    graph.reshape(weights, [channels, 1, 1, kernel]);
    graph.replace(node, [
      { operator: 'Unsqueeze', inputs: [x, ...axes], output: wide, attributes },
      {
        operator: 'Conv',
        inputs: [wide, weights, ...bias],
        output: result,
        attributes: { ...window, group },
      },
      { operator: 'Squeeze', inputs: [result, ...axes], output: node.outputs[0]!, attributes },
    ]);
  }
  return rewritten.length;
}

const isDepthwise = ({ dims: [channels, perGroup], group }: Conv1d): boolean =>
  perGroup === 1 && group === channels && channels > 1;
