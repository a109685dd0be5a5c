"""The network as an ONNX file in T-one's layout, in fp32 or in int8 with scales that are fixed beforehand.

Scales of activations are measured on speech and written into the file. Scales found while running (DynamicQuantizeLinear) are
one for the whole batch: a loud caller then changes what a quiet one is heard to say (25 of 150 transcripts differed between a
batch of 1 and of 32; with fixed scales none can). Weights have a scale a column and 7 bits: with 8, AVX2's multiply-add of
unsigned by signed bytes overflows its 16 bits where there is no VNNI.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn

from .network import FFT, RATE, Recogniser

OPSET = 16
CHUNK = 2400
WEIGHT_LEVELS = 63
#: Share of a layer's inputs that its range holds; what is beyond is clipped.
RANGE_SHARE = 0.99999


class TOneLayout(nn.Module):
    """signal int32 [N, samples, 1], state float16 [N, S] to logprobs float32 [N, T, V], state_next float16 [N, S]."""

    def __init__(self, model: Recogniser):
        super().__init__()
        self.model = model

    def forward(self, signal: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # squeeze, not [:, :, 0]: that is a Gather of each sample, 6 % of a step.
        logs, after = self.model(signal.squeeze(-1).float() / 32768.0, state.float())
        return logs, torch.clamp(after, -65000.0, 65000.0).half()


def export(model: Recogniser, path: Path, metadata: dict[str, str]) -> None:
    """Writes fp32. sherpa-onnx needs V to be a number in the file and the metadata frame_length_ms, state_dim, sample_rate."""
    model.eval()
    shape = model.shape
    torch.onnx.export(
        TOneLayout(model),
        (torch.zeros(2, CHUNK, 1, dtype=torch.int32), torch.zeros(2, shape.state_values).half()),
        str(path),
        opset_version=OPSET,
        input_names=["signal", "state"],
        output_names=["logprobs", "state_next"],
        dynamic_axes={"signal": {0: "N"}, "state": {0: "N"}, "logprobs": {0: "N"}, "state_next": {0: "N"}},
    )
    file = onnx.load(str(path))
    file.ir_version = 8
    for name, dims in (("logprobs", [None, CHUNK // shape.frame_samples, shape.vocabulary]), ("state_next", [None, shape.state_values])):
        output = next(item for item in file.graph.output if item.name == name)
        for dim, value in zip(output.type.tensor_type.shape.dim, dims):
            if value is not None:
                dim.dim_value = value
    described = {
        "model_type": "t-one",
        "frame_length_ms": str(1000 * shape.frame_samples // RATE),
        "state_dim": str(shape.state_values),
        "sample_rate": str(RATE),
        **metadata,
    }
    for key, value in described.items():
        entry = file.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(file)
    onnx.save(file, str(path))


@torch.no_grad()
def input_ranges(model: Recogniser, sounds: list[torch.Tensor]) -> list[tuple[float, float]]:
    """Lowest and highest input of each linear layer over some speech, in the order in which they run."""
    layers = linear_layers(model)
    seen: dict[int, list[torch.Tensor]] = {i: [] for i in range(len(layers))}
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, i=i: seen[i].append(inputs[0].flatten()[::7].clone()))
        for i, layer in enumerate(layers)
    ]
    model.eval()
    for pcm in sounds:
        model(pcm, model.zero_state(len(pcm)))
    for hook in hooks:
        hook.remove()
    ranges = []
    for values in seen.values():
        ordered = np.sort(torch.cat(values).numpy())
        low = ordered[int(len(ordered) * (1 - RANGE_SHARE))]
        high = ordered[int((len(ordered) - 1) * RANGE_SHARE)]
        ranges.append((min(0.0, float(low)), max(0.0, float(high))))
    return ranges


def linear_layers(model: Recogniser) -> list[nn.Linear]:
    inner = [layer for block in model.blocks for layer in (block.expand, block.contract)]
    return [model.enter, *inner, model.leave]


def quantise(source: Path, target: Path, ranges: list[tuple[float, float]]) -> int:
    """
    Rewrites every matrix product with fixed weights, but for the mel filters, to take 8-bit numbers.
    @returns how many there were @raises ValueError when they are not as many as ranges
    """
    file = onnx.load(str(source))
    graph = file.graph
    values = {item.name: item for item in graph.initializer}
    bins = FFT // 2 + 1
    products = [n for n in graph.node if n.op_type == "MatMul" and n.input[1] in values and values[n.input[1]].dims[0] != bins]
    if len(products) != len(ranges):
        raise ValueError(f"{len(products)} products and {len(ranges)} ranges")
    nodes, gone = [], set()
    of_product = {node.output[0]: bounds for node, bounds in zip(products, ranges)}
    for node in graph.node:
        if node.output[0] in of_product:
            nodes += _quantised(graph, node, values[node.input[1]], of_product[node.output[0]])
            gone.add(node.input[1])
        else:
            nodes.append(node)
    kept = [item for item in graph.initializer if item.name not in gone]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    onnx.checker.check_model(file)
    onnx.save(file, str(target))
    return len(products)


def _quantised(graph, node, weight, bounds: tuple[float, float]) -> list:
    """x → 8 bits → x', W' from 7 bits, x' W': the pattern that onnxruntime turns into one integer product."""
    matrix = numpy_helper.to_array(weight)
    column = np.maximum(np.abs(matrix).max(0), 1e-8) / WEIGHT_LEVELS
    low, high = bounds
    scale = max((high - low) / 255, 1e-8)
    zero = int(np.clip(np.round(-low / scale), 0, 255))
    name = weight.name
    graph.initializer.extend([
        numpy_helper.from_array(np.clip(np.round(matrix / column), -WEIGHT_LEVELS, WEIGHT_LEVELS).astype(np.int8), f"{name}.q"),
        numpy_helper.from_array(column.astype(np.float32), f"{name}.scale"),
        numpy_helper.from_array(np.zeros(matrix.shape[1], np.int8), f"{name}.zero"),
        numpy_helper.from_array(np.float32(scale).reshape(()), f"{name}.in_scale"),
        numpy_helper.from_array(np.uint8(zero).reshape(()), f"{name}.in_zero"),
    ])
    x, y = node.input[0], node.output[0]
    scales = [f"{name}.in_scale", f"{name}.in_zero"]
    return [
        helper.make_node("QuantizeLinear", [x, *scales], [f"{y}.q"], name=f"{y}.quantise"),
        helper.make_node("DequantizeLinear", [f"{y}.q", *scales], [f"{y}.x"], name=f"{y}.dequantise"),
        helper.make_node("DequantizeLinear", [f"{name}.q", f"{name}.scale", f"{name}.zero"], [f"{y}.w"], name=f"{y}.weight", axis=1),
        helper.make_node("MatMul", [f"{y}.x", f"{y}.w"], [y], name=f"{y}.product"),
    ]


class Rounded(nn.Module):
    """A linear layer that computes as its 8-bit form does, to judge that form without onnxruntime."""

    def __init__(self, layer: nn.Linear, bounds: tuple[float, float]):
        super().__init__()
        column = layer.weight.abs().amax(1, keepdim=True).clamp_min(1e-8) / WEIGHT_LEVELS
        self.weight = nn.Parameter((layer.weight / column).round() * column, requires_grad=False)
        self.bias = layer.bias
        self.scale = max((bounds[1] - bounds[0]) / 255, 1e-8)
        self.zero = float(np.clip(np.round(-bounds[0] / self.scale), 0, 255))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q = torch.clamp((x / self.scale).round() + self.zero, 0, 255)
        return nn.functional.linear((q - self.zero) * self.scale, self.weight, self.bias)


def rounded(model: Recogniser, ranges: list[tuple[float, float]]) -> Recogniser:
    """A copy that computes in 8 bits."""
    copy = Recogniser(model.shape)
    copy.load_state_dict(model.state_dict())
    parts = iter(ranges)
    copy.enter = Rounded(copy.enter, next(parts))
    for block in copy.blocks:
        block.expand = Rounded(block.expand, next(parts))
        block.contract = Rounded(block.contract, next(parts))
    copy.leave = Rounded(copy.leave, next(parts))
    return copy
