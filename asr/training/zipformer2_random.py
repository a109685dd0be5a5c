"""A streaming Zipformer2 transducer with random weights, as a published model's folder, for comparing speed.

    python3 asr/training/zipformer2_random.py FOLDER [--size small|medium] [--chunk 16|32] [--seed 1]

No published model could be had where Earshot was built. This one has a published one's operators, sizes, tensors and metadata
(icefall's zipformer recipe: `small` has its 23 million parameters, `medium` its 66 million), so that Earshot and sherpa-onnx
can be timed on the same file. What it recognises means nothing. Needs Debian's python3-torch and python3-onnx.
"""
import argparse
import pathlib

import onnx
import torch
from torch import nn

from zipformer2_network import (
    BINS,
    CONTEXT,
    DOWNSAMPLING,
    JOINER,
    LEFT,
    QUERY,
    TOKENS,
    VALUE,
    Decoder,
    Encoder,
    Joiner,
    state_shapes,
)

SIZES = {
    "small": dict(
        layers=(2, 2, 2, 2, 2, 2),
        dims=(192, 256, 256, 256, 256, 256),
        forward=(512, 768, 768, 768, 768, 768),
        heads=(4, 4, 4, 8, 4, 4),
        kernels=(31, 31, 15, 15, 15, 31),
    ),
    "medium": dict(
        layers=(2, 2, 3, 4, 3, 2),
        dims=(192, 256, 384, 512, 384, 256),
        forward=(512, 768, 1024, 1536, 1024, 768),
        heads=(4, 4, 4, 8, 4, 4),
        kernels=(31, 31, 15, 15, 15, 31),
    ),
}


def export(module: nn.Module, path: pathlib.Path, inputs, names, outputs, axes, metadata) -> None:
    torch.onnx.export(
        module,
        inputs,
        str(path),
        opset_version=13,
        input_names=names,
        output_names=outputs,
        dynamic_axes=axes,
    )
    model = onnx.load(str(path))
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, str(value)
    onnx.save(model, str(path))


@torch.no_grad()
def enliven(encoder: Encoder, decoder: Decoder, joiner: Joiner, shapes, chunk: int) -> None:
    """
    Random weights alone give nearly the same frame whatever is heard. Frames are made to vary by 1 on something like the
    features of speech, and the blank less likely than the best token in some of them, so that the predictor runs now and
    then, as with a trained model.
    """
    window = 2 * chunk + 13
    states = [torch.zeros(shape) for _, shape, _ in shapes] + [torch.zeros(1, dtype=torch.int64)]
    features, frames = torch.zeros(1, BINS), []
    for _ in range(16):
        rows = []
        for _ in range(window):
            features = 0.9 * features + 1.2 * torch.randn(1, 1) + 0.8 * torch.randn(1, BINS)
            rows.append(features - 8)
        out, *states = encoder(torch.stack(rows, dim=1), *states)
        frames.append(out.reshape(-1, JOINER))
    heard = torch.cat(frames)
    spread = heard.std(dim=0).mean()
    encoder.project.weight /= spread
    encoder.project.bias.copy_((encoder.project.bias - heard.mean(dim=0)) / spread)
    joiner.out.weight *= 4
    contexts = torch.randint(3, TOKENS, (heard.shape[0], CONTEXT))
    logits = joiner((heard - heard.mean(dim=0)) / spread, decoder(contexts))
    lead = logits[:, 3:].max(dim=-1).values - logits[:, 0]
    joiner.out.bias[0] += lead.quantile(0.7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--chunk", type=int, choices=(16, 32), default=16, help="frames of 20 ms a step")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    size, chunk = SIZES[options.size], options.chunk
    encoder, decoder, joiner = Encoder(**size, chunk=chunk).eval(), Decoder().eval(), Joiner().eval()
    shapes = state_shapes(size["layers"], size["dims"], size["heads"], size["kernels"])
    enliven(encoder, decoder, joiner, shapes, chunk)
    count = sum(p.numel() for module in (encoder, decoder, joiner) for p in module.parameters())

    options.folder.mkdir(parents=True, exist_ok=True)
    name = f"-random-chunk-{chunk}-left-{LEFT}.onnx"
    window = 2 * chunk + 13
    axes = {"x": {0: "N"}, "encoder_out": {0: "N"}, "processed_lens": {0: "N"}, "new_processed_lens": {0: "N"}}
    for state, _, axis in shapes:
        axes[state] = axes[f"new_{state}"] = {axis: "N"}
    states = [state for state, _, _ in shapes] + ["processed_lens"]
    join = lambda values: ",".join(str(value) for value in values)
    export(
        encoder,
        options.folder / f"encoder{name}",
        (torch.randn(1, window, BINS), *(torch.zeros(s) for _, s, _ in shapes), torch.zeros(1, dtype=torch.int64)),
        ["x", *states],
        ["encoder_out", *(f"new_{state}" for state in states)],
        axes,
        {
            "model_type": "zipformer2",
            "version": 1,
            "model_author": "Earshot, random weights",
            "comment": "streaming zipformer2",
            "decode_chunk_len": 2 * chunk,
            "T": window,
            "num_encoder_layers": join(size["layers"]),
            "encoder_dims": join(size["dims"]),
            "cnn_module_kernels": join(size["kernels"]),
            "left_context_len": join(LEFT // factor for factor in DOWNSAMPLING),
            "query_head_dims": join([QUERY] * 6),
            "value_head_dims": join([VALUE] * 6),
            "num_heads": join(size["heads"]),
        },
    )
    export(
        decoder,
        options.folder / f"decoder{name}",
        (torch.zeros(1, CONTEXT, dtype=torch.int64),),
        ["y"],
        ["decoder_out"],
        {"y": {0: "N"}, "decoder_out": {0: "N"}},
        {"context_size": CONTEXT, "vocab_size": TOKENS},
    )
    export(
        joiner,
        options.folder / f"joiner{name}",
        (torch.zeros(1, JOINER), torch.zeros(1, JOINER)),
        ["encoder_out", "decoder_out"],
        ["logit"],
        {"encoder_out": {0: "N"}, "decoder_out": {0: "N"}, "logit": {0: "N"}},
        {"joiner_dim": JOINER},
    )
    tokens = ["<blk>", "<sos/eos>", "<unk>", *(f"\u2581W{i}" for i in range(3, TOKENS))]
    lines = (f"{token} {i}\n" for i, token in enumerate(tokens))
    (options.folder / "tokens.txt").write_text("".join(lines), encoding="utf8")
    print(f"{options.folder}: {count / 1e6:.1f} million parameters, {2 * chunk * 10} ms a step")


if __name__ == "__main__":
    main()
