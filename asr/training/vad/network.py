"""The detector: two layers of gated means, each unit remembering for as long as its gate says, and one output."""

import torch
from torch import Tensor, nn

from .features import INPUTS

WIDTHS = (24, 16)
#: What is left of the memory after a frame for which the network was not asked.
FADE = 0.97


def bounded(x: Tensor) -> Tensor:
    """A tanh of products and a quotient: the same on every machine."""
    x = x.clamp(-3, 3)
    return x * (27 + x * x) / (27 + 9 * x * x)


def gate(x: Tensor) -> Tensor:
    return 0.5 + 0.5 * bounded(x / 2)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        widths = (INPUTS, *WIDTHS)
        self.layers = nn.ModuleList(nn.Linear(a, 2 * b) for a, b in zip(widths, widths[1:]))
        self.out = nn.Linear(WIDTHS[-1], 1)
        for layer, width in zip(self.layers, WIDTHS):
            with torch.no_grad():
                # Half a second is remembered by some, two frames by others.
                layer.bias[:width] = torch.linspace(0, 4.5, width)

    def forward(self, inputs: Tensor, asked: Tensor) -> Tensor:
        """@param inputs [channels, frames, INPUTS] @param asked [channels, frames] @returns logits [channels, frames]"""
        x, asked = inputs, asked.unsqueeze(2)
        for layer, width in zip(self.layers, WIDTHS):
            both = layer(x)
            keep = gate(both[..., :width])
            add = torch.where(asked, (1 - keep) * bounded(both[..., width:]), torch.tensor(0.0))
            keep = torch.where(asked, keep, torch.tensor(FADE))
            x = remember(keep, add)
        return self.out(x).squeeze(2)


@torch.jit.script
def remember(keep: Tensor, add: Tensor) -> Tensor:
    keeps, adds = keep.unbind(1), add.unbind(1)
    h = torch.zeros_like(adds[0])
    hs = []
    for i in range(len(keeps)):
        h = h * keeps[i] + adds[i]
        hs.append(h)
    return torch.stack(hs, 1)
