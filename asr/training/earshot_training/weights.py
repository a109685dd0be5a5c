"""Weights of an earlier model of the same shape, read from its ONNX file: training may go on from them."""

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper

from .network import FFT, Recogniser, Shape


def from_onnx(path: Path, shape: Shape) -> dict[str, torch.Tensor]:
    """
    A state dict for Recogniser(shape), from fp32 or from int8 as export.py makes it. Linear layers are found by the order of the matrix products, norms and memories by theirs.
    @raises ValueError when the file is of another shape
    """
    graph = onnx.load(str(path)).graph
    values = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}
    # An int8 file holds rounded weights and their scales, a scale a column: good to begin with as well.
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]].float() * values[node.input[1]]
    products = [values[n.input[1]] for n in graph.node if n.op_type == "MatMul" and n.input[1] in values]
    kernels = [n for n in graph.node if n.op_type == "Conv" and len(n.input) == 3]
    products = [product for product in products if product.shape[0] != FFT // 2 + 1]  # without the mel filters
    expected = 2 + 2 * shape.layers
    if len(products) != expected or len(kernels) != shape.layers:
        raise ValueError(f"{path}: {len(products)} products and {len(kernels)} memories, not {expected} and {shape.layers}")
    linear_bias = _biases(graph, values)
    norms = [values[n] for n in _norms(graph, values)]
    state = Recogniser(shape).state_dict()
    state["enter.weight"], state["enter.bias"] = products[0].t(), linear_bias[0]
    for i in range(shape.layers):
        state[f"blocks.{i}.norm.weight"], state[f"blocks.{i}.norm.bias"] = norms[2 * i], norms[2 * i + 1]
        state[f"blocks.{i}.expand.weight"] = products[1 + 2 * i].t()
        state[f"blocks.{i}.expand.bias"] = linear_bias[1 + i]
        state[f"blocks.{i}.contract.weight"] = products[2 + 2 * i].t()
        kernel = values[kernels[i].input[1]]
        state[f"blocks.{i}.memory.weight"] = kernel[:, 0, :, 0].t()
        state[f"blocks.{i}.memory.bias"] = values[kernels[i].input[2]]
    state["norm.weight"], state["norm.bias"] = norms[-2], norms[-1]
    state["leave.weight"], state["leave.bias"] = products[-1].t(), linear_bias[-1]
    for name, value in Recogniser(shape).state_dict().items():
        if state[name].shape != value.shape:
            raise ValueError(f"{path}: {name} is {tuple(state[name].shape)}, not {tuple(value.shape)}")
    return {name: value.contiguous() for name, value in state.items()}


def _biases(graph, values) -> list[torch.Tensor]:
    """What is added to matrix products, in order; the mel filters' product is followed by a constant and has none."""
    found = []
    made = {n.output[0]: n for n in graph.node}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        other = next((name for name in node.input if name in values and values[name].ndim == 1), None)
        source = next((made[name] for name in node.input if name in made), None)
        if other is not None and source is not None and source.op_type == "MatMul":
            found.append(values[other])
    return found


def _norms(graph, values) -> list[str]:
    """Names of scale and shift of the layer norms, in order: a Div by the deviation, then Mul, then Add."""
    names = []
    uses = {name: n for n in graph.node for name in n.input}
    for node in graph.node:
        if node.op_type == "Div" and node.output[0] in uses and uses[node.output[0]].op_type == "Mul":
            scale = uses[node.output[0]]
            shift = uses[scale.output[0]]
            names += [next(n for n in scale.input if n in values), next(n for n in shift.input if n in values)]
    return names
