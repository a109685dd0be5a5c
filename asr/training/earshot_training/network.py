"""The network: log-mel from raw 8 kHz PCM, then causal memory blocks (FSMN, Zhang et al. 2015), then a token a frame.

Streaming by construction: no look-ahead, one flat state. All arithmetic that decides lies in matrix products, which onnxruntime
batches well over channels; the memories are depthwise convolutions written as Conv2d over [C, T, 1], the fastest of the forms
that were tried (372 channels a core against 297 by shift-and-add and 228 by Conv1d).
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

RATE = 8000
HOP = 80
WINDOW = 200
FFT = 256
#: Samples of the previous chunk that the first window of the next one needs.
OVERLAP = WINDOW - HOP


@dataclass(frozen=True)
class Shape:
    """Sizes of a network. frame_ms = 10 * stack divides 300 ms, T-one's chunk."""

    vocabulary: int = 192
    width: int = 256
    hidden: int = 512
    layers: int = 10
    #: frames that a memory block sees, its own included
    memory: int = 7
    mels: int = 40
    #: 10 ms steps a frame
    stack: int = 6

    @property
    def frame_samples(self) -> int:
        return HOP * self.stack

    @property
    def state_values(self) -> int:
        return OVERLAP + self.layers * (self.memory - 1) * self.width

    def as_dict(self) -> dict:
        return asdict(self)


def as_kept(x: torch.Tensor, training: bool) -> torch.Tensor:
    """
    Rounded as the state keeps it between chunks (float16), within a chunk too: then what comes out does not depend on where
    the chunks begin, and a replay from the middle of a call hears what the first run heard.
    @param training not rounded: a small gradient would not get through a float16
    """
    return x if training else x.half().float()


def mel_filters(mels: int, low_hz: float = 100.0, high_hz: float = 3900.0) -> np.ndarray:
    """Triangles, evenly spaced on the mel scale. @returns float32 [FFT/2 + 1, mels]"""
    to_mel = lambda hz: 1127 * np.log1p(hz / 700)
    edges = 700 * np.expm1(np.linspace(to_mel(low_hz), to_mel(high_hz), mels + 2) / 1127)
    bins = np.arange(FFT // 2 + 1) * RATE / FFT
    rising = (bins[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[None, 2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


class FrontEnd(nn.Module):
    """Log-mel of 25 ms windows every 10 ms, `stack` of them a frame. The Fourier transform is a convolution."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        window = np.hanning(WINDOW + 1)[:-1]
        angle = 2 * np.pi * np.arange(FFT // 2 + 1)[:, None] * np.arange(WINDOW) / FFT
        basis = np.concatenate([np.cos(angle) * window, -np.sin(angle) * window]).astype(np.float32)
        self.register_buffer("basis", torch.from_numpy(basis)[:, None, :], persistent=False)
        self.register_buffer("filters", torch.from_numpy(mel_filters(shape.mels)), persistent=False)

    def forward(self, pcm: torch.Tensor, tail: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """@param pcm [B, N] -1..1, N a multiple of frame_samples @param tail [B, OVERLAP] @returns [B, T, stack * mels], tail"""
        sound = torch.cat([tail, as_kept(pcm, self.training)], 1)
        spectrum = F.conv1d(sound[:, None], self.basis, stride=HOP).transpose(1, 2)
        power = spectrum * spectrum
        power = power[:, :, : FFT // 2 + 1] + power[:, :, FFT // 2 + 1 :]
        logs = (torch.log(torch.matmul(power, self.filters) + 1e-5) + 4.0) * 0.25
        return logs.reshape(pcm.shape[0], -1, self.shape.stack * self.shape.mels), sound[:, -OVERLAP:]


class Memory(nn.Module):
    """A causal depthwise convolution over frames: each channel remembers its last values."""

    def __init__(self, width: int, length: int):
        super().__init__()
        self.length = length
        self.weight = nn.Parameter(torch.randn(length, width) * 0.5 / length**0.5)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: torch.Tensor, past: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """@param x [B, T, C] @param past [B, length - 1, C]"""
        seen = torch.cat([past, as_kept(x, self.training)], 1)
        kernel = self.weight.t()[:, None, :, None]
        y = F.conv2d(seen.transpose(1, 2).unsqueeze(-1), kernel, self.bias, groups=kernel.shape[0])
        return y.squeeze(-1).transpose(1, 2), seen[:, -(self.length - 1) :]


class Block(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.norm = nn.LayerNorm(shape.width)
        self.expand = nn.Linear(shape.width, shape.hidden)
        self.contract = nn.Linear(shape.hidden, shape.width, bias=False)
        self.memory = Memory(shape.width, shape.memory)

    def forward(self, x: torch.Tensor, past: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        projected = self.contract(torch.relu(self.expand(self.norm(x))))
        remembered, now = self.memory(projected, past)
        return x + projected + remembered, now


class Recogniser(nn.Module):
    """[B, N] PCM and [B, S] state to [B, T, V] log-probabilities and the next state."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.front = FrontEnd(shape)
        self.enter = nn.Linear(shape.stack * shape.mels, shape.width)
        self.blocks = nn.ModuleList([Block(shape) for _ in range(shape.layers)])
        self.norm = nn.LayerNorm(shape.width)
        self.leave = nn.Linear(shape.width, shape.vocabulary)

    def zero_state(self, batch: int, device: torch.device | str = "cpu") -> torch.Tensor:
        return torch.zeros(batch, self.shape.state_values, device=device)

    def features(self, pcm: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.front(pcm, state[:, :OVERLAP])

    def forward(self, pcm: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features, tail = self.features(pcm, state)
        logs, states, _ = self.encode(features, state)
        return logs, torch.cat([tail, *states], 1)

    def encode(self, features: torch.Tensor, state: torch.Tensor, tap: int | None = None):
        """@param tap after which block the hidden values are wanted @returns log-probabilities, block states, hidden or None"""
        size = (self.shape.memory - 1) * self.shape.width
        x, states, tapped = self.enter(features), [], None
        for i, block in enumerate(self.blocks):
            past = state[:, OVERLAP + i * size : OVERLAP + (i + 1) * size]
            x, now = block(x, past.reshape(-1, self.shape.memory - 1, self.shape.width))
            states.append(now.flatten(1))
            if i == tap:
                tapped = x
        return torch.log_softmax(self.leave(self.norm(x)), -1), states, tapped


def parameters_of(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
