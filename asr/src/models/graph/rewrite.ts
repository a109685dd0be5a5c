/** Opens a network's file for onnxruntime with a graph that computes the same and faster. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { BrokenOnnx, type ByteSource } from '../protobuf.ts';
import { widenDepthwiseConvolutions } from './depthwise-conv.ts';
import { Graph } from './graph.ts';
import { Unsuited } from './parse.ts';
import { multiplyPointwiseConvolutions } from './pointwise-conv.ts';
import { shortenSoftplus } from './softplus.ts';
import { keepRowsOfProducts } from './transposed-product.ts';

/** Clip takes its bounds as inputs from here on. */
const LEAST_OPSET = 11;
/** A larger file is not copied through this process's memory. */
const MOST_BYTES = 1e9;

/** How often each rule applied. */
export interface Rewrites {
  readonly softplus: number;
  readonly depthwiseConvolutions: number;
  readonly pointwiseConvolutions: number;
  readonly transposedProducts: number;
}

export interface Rewritten {
  /** The whole file. */
  readonly bytes: Uint8Array;
  readonly rewrites: Rewrites;
}

/**
 * @returns an equal network whose names, inputs, outputs and metadata are the same; null when no rule applies, or when the
 * bytes are no network, or one that is left alone (functions, graphs within the graph, data in other files, opset below 11)
 */
export function rewriteNetwork(source: ByteSource): Rewritten | null {
  try {
    const graph = new Graph(source);
    if (graph.opset < LEAST_OPSET) return null;
    const rewrites: Rewrites = {
      softplus: shortenSoftplus(graph),
      depthwiseConvolutions: widenDepthwiseConvolutions(graph),
      pointwiseConvolutions: multiplyPointwiseConvolutions(graph),
      transposedProducts: keepRowsOfProducts(graph),
    };
    if (Object.values(rewrites).every((count) => count === 0)) return null;
    graph.removeUnseen();
    return { bytes: graph.write(), rewrites };
  } catch (error) {
    // onnxruntime says what is wrong with it, as it does with every file.
    if (error instanceof BrokenOnnx || error instanceof Unsuited) return null;
    throw error;
  }
}

/** The same of a file; null as well when there is none or it has more than 1 GB. */
export function rewriteFile(path: string): Rewritten | null {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return null;
  const handle = openSync(path, 'r');
  try {
    const { size } = fstatSync(handle);
    if (size > MOST_BYTES) return null;
    return rewriteNetwork({
      length: size,
      read: (at, into) => readSync(handle, into, 0, into.length, at),
    });
  } finally {
    closeSync(handle);
  }
}
