"""The network of a streaming Zipformer2 transducer with the operators, sizes and states of icefall's zipformer recipe."""
import math

import torch
from torch import Tensor, nn

BINS = 80
JOINER = 512
DECODER = 512
CONTEXT = 2
TOKENS = 500
POSITIONS = 48
DOWNSAMPLING = (1, 2, 4, 8, 4, 2)
LEFT = 128
QUERY, VALUE, POSITION = 32, 12, 4


def log_add_one(x: Tensor) -> Tensor:
    """log(1 + exp(x)) in the operators that icefall exports."""
    return torch.maximum(x, torch.zeros_like(x)) + torch.log1p(torch.exp(-x.abs()))


class SwooshR(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return log_add_one(x - 1.0) - 0.08 * x - 0.313261687


class SwooshL(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return log_add_one(x - 4.0) - 0.08 * x - 0.035


class BiasNorm(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.bias = nn.Parameter(0.1 * torch.randn(channels))
        self.log_scale = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        scale = ((x - self.bias) ** 2).mean(dim=-1, keepdim=True) ** -0.5
        return x * scale * self.log_scale.exp()


class FeedForward(nn.Module):
    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.inward = nn.Linear(dim, hidden)
        self.act = SwooshL()
        self.outward = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.outward(self.act(self.inward(x)))


class AttentionWeights(nn.Module):
    """Scores by content and by relative position, over the cached left context and the chunk."""

    def __init__(self, dim: int, heads: int, context: int, frames: int):
        super().__init__()
        self.heads, self.context = heads, context
        self.inward = nn.Linear(dim, (2 * QUERY + POSITION) * heads)
        self.by_position = nn.Linear(POSITIONS, heads * POSITION, bias=False)
        self.register_buffer("encoding", encoding(context, frames))

    def forward(self, x: Tensor, key_cache: Tensor, mask: Tensor):
        x = self.inward(x)
        frames, batch, _ = x.shape
        query, key, position = x.split([QUERY * self.heads, QUERY * self.heads, POSITION * self.heads], dim=-1)
        key = torch.cat([key_cache, key], dim=0)
        next_cache = key[-self.context :]
        seen = key.shape[0]
        query = query.reshape(frames, batch, self.heads, QUERY).permute(2, 1, 0, 3)
        position = position.reshape(frames, batch, self.heads, POSITION).permute(2, 1, 0, 3)
        key = key.reshape(seen, batch, self.heads, QUERY).permute(2, 1, 3, 0)
        scores = torch.matmul(query, key)
        offsets = self.encoding.shape[0]
        encoded = self.by_position(self.encoding).reshape(1, offsets, self.heads, POSITION).permute(2, 0, 3, 1)
        relative = torch.matmul(position, encoded)
        # Row t begins frames - 1 - t offsets later: from relative to absolute positions.
        rows = torch.arange(frames - 1, -1, -1).repeat(batch * self.heads).unsqueeze(-1)
        index = rows + torch.arange(seen)
        absolute = torch.gather(relative.reshape(-1, offsets), 1, index)
        scores = scores + absolute.reshape(self.heads, batch, frames, seen)
        scores = scores.masked_fill(mask.unsqueeze(1), -1000.0)
        return scores.softmax(dim=-1), next_cache


def encoding(context: int, frames: int) -> Tensor:
    """Relative positions squeezed by a logarithm and an arc tangent, as 24 cosines and sines."""
    offset = torch.arange(-(frames + context - 1), frames, dtype=torch.float32).unsqueeze(1)
    width = POSITIONS**0.5
    squeezed = width * offset.sign() * ((offset.abs() + width).log() - math.log(width))
    angle = (squeezed / (POSITIONS / (2 * math.pi))).atan() * (1 + torch.arange(POSITIONS // 2))
    table = torch.zeros(offset.shape[0], POSITIONS)
    table[:, 0::2], table[:, 1::2] = angle.cos(), angle.sin()
    table[:, -1] = 1.0
    return table


class SelfAttention(nn.Module):
    def __init__(self, dim: int, heads: int, context: int):
        super().__init__()
        self.heads, self.context = heads, context
        self.inward = nn.Linear(dim, heads * VALUE)
        self.outward = nn.Linear(heads * VALUE, dim)

    def forward(self, x: Tensor, weights: Tensor, cache: Tensor):
        frames, batch, _ = x.shape
        x = torch.cat([cache, self.inward(x)], dim=0)
        next_cache = x[-self.context :]
        x = x.reshape(x.shape[0], batch, self.heads, VALUE).permute(2, 1, 0, 3)
        x = torch.matmul(weights, x).permute(2, 1, 0, 3).reshape(frames, batch, self.heads * VALUE)
        return self.outward(x), next_cache


class NonlinearAttention(nn.Module):
    def __init__(self, dim: int, context: int):
        super().__init__()
        self.hidden, self.context = 3 * dim // 4, context
        self.inward = nn.Linear(dim, 3 * self.hidden)
        self.outward = nn.Linear(self.hidden, dim)

    def forward(self, x: Tensor, weights: Tensor, cache: Tensor):
        gate, value, after = self.inward(x).chunk(3, dim=-1)
        frames, batch, _ = x.shape
        value = (value * gate.tanh()).reshape(frames, batch, 1, self.hidden).permute(2, 1, 0, 3)
        value = torch.cat([cache, value], dim=2)
        next_cache = value[:, :, -self.context :]
        mixed = torch.matmul(weights, value).permute(2, 1, 0, 3).reshape(frames, batch, self.hidden)
        return self.outward(mixed * after), next_cache


class Convolution(nn.Module):
    """A causal convolution and one within the chunk, weighted by the place in it."""

    def __init__(self, dim: int, kernel: int, frames: int):
        super().__init__()
        self.left = kernel // 2
        self.inward = nn.Linear(dim, 2 * dim)
        self.causal = nn.Conv1d(dim, dim, (kernel + 1) // 2, groups=dim)
        self.chunkwise = nn.Conv1d(dim, dim, kernel, groups=dim, padding=kernel // 2)
        self.chunk_scale = nn.Parameter(1 + 0.1 * torch.randn(dim, frames))
        self.act = SwooshR()
        self.outward = nn.Linear(dim, dim)

    def forward(self, x: Tensor, cache: Tensor, mask: Tensor):
        x, gate = self.inward(x).chunk(2, dim=-1)
        x = (x * gate.sigmoid()).permute(1, 2, 0)
        x = x.masked_fill(mask.unsqueeze(1), 0.0)
        whole = torch.cat([cache, x], dim=2)
        next_cache = whole[..., -self.left :]
        x = self.chunkwise(x) * self.chunk_scale + self.causal(whole)
        return self.outward(self.act(x.permute(2, 0, 1))), next_cache


class Bypass(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.scale = nn.Parameter(torch.full((dim,), 0.5))

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        return before + (after - before) * self.scale


class Layer(nn.Module):
    def __init__(self, dim: int, hidden: int, heads: int, kernel: int, context: int, frames: int):
        super().__init__()
        self.context = context
        self.weights = AttentionWeights(dim, heads, context, frames)
        self.forward1 = FeedForward(dim, hidden * 3 // 4)
        self.forward2 = FeedForward(dim, hidden)
        self.forward3 = FeedForward(dim, hidden * 5 // 4)
        self.nonlinear = NonlinearAttention(dim, context)
        self.attention1 = SelfAttention(dim, heads, context)
        self.attention2 = SelfAttention(dim, heads, context)
        self.convolution1 = Convolution(dim, kernel, frames)
        self.convolution2 = Convolution(dim, kernel, frames)
        self.middle, self.bypass, self.norm = Bypass(dim), Bypass(dim), BiasNorm(dim)

    def forward(self, x: Tensor, states, mask: Tensor):
        key, nonlinear, value1, value2, conv1, conv2 = states
        own = mask[:, self.context :]
        before = x
        weights, key = self.weights(x, key, mask)
        x = x + self.forward1(x)
        more, nonlinear = self.nonlinear(x, weights[0:1], nonlinear)
        x = x + more
        more, value1 = self.attention1(x, weights, value1)
        x = x + more
        more, conv1 = self.convolution1(x, conv1, own)
        x = x + more
        x = x + self.forward2(x)
        x = self.middle(before, x)
        more, value2 = self.attention2(x, weights, value2)
        x = x + more
        more, conv2 = self.convolution2(x, conv2, own)
        x = x + more
        x = x + self.forward3(x)
        return self.bypass(before, self.norm(x)), (key, nonlinear, value1, value2, conv1, conv2)


class Downsample(nn.Module):
    def __init__(self, factor: int):
        super().__init__()
        self.factor = factor
        self.bias = nn.Parameter(0.1 * torch.randn(factor))

    def forward(self, x: Tensor) -> Tensor:
        frames, batch, dim = x.shape
        x = x.reshape(frames // self.factor, self.factor, batch, dim)
        return (x * self.bias.softmax(dim=0).unsqueeze(-1).unsqueeze(-1)).sum(dim=1)


class Embed(nn.Module):
    """Three convolutions and a ConvNeXt block: 100 mel frames a second become 50 vectors."""

    def __init__(self, dim: int):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=(0, 1)),
            SwooshR(),
            nn.Conv2d(8, 32, 3, stride=2),
            SwooshR(),
            nn.Conv2d(32, 128, 3, stride=(1, 2)),
            SwooshR(),
        )
        self.depthwise = nn.Conv2d(128, 128, 7, groups=128, padding=(0, 3))
        self.pointwise1, self.act, self.pointwise2 = nn.Conv2d(128, 384, 1), SwooshL(), nn.Conv2d(384, 128, 1)
        self.width = ((BINS - 1) // 2 - 1) // 2
        self.out, self.norm = nn.Linear(128 * self.width, dim), BiasNorm(dim)

    def forward(self, x: Tensor, cache: Tensor):
        x = self.convolutions(x.unsqueeze(1))
        frames = x.shape[2] - 3
        kept = x[:, :, :frames]
        x = torch.cat([cache, x], dim=2)
        next_cache = x[:, :, frames : frames + 3]
        x = kept + self.pointwise2(self.act(self.pointwise1(self.depthwise(x))))
        x = x.transpose(1, 2).reshape(x.shape[0], frames, 128 * self.width)
        return self.norm(self.out(x)), next_cache


class Encoder(nn.Module):
    def __init__(self, layers, dims, forward, heads, kernels, chunk: int):
        super().__init__()
        self.layer_counts, self.dims, self.chunk = layers, dims, chunk
        self.embed = Embed(dims[0])
        self.stacks = nn.ModuleList(
            nn.ModuleList(
                Layer(dims[s], forward[s], heads[s], kernels[s], LEFT // factor, chunk // factor)
                for _ in range(layers[s])
            )
            for s, factor in enumerate(DOWNSAMPLING)
        )
        self.down = nn.ModuleList(Downsample(factor) for factor in DOWNSAMPLING)
        self.combine = nn.ModuleList(Bypass(dim) for dim in dims)
        self.down_output = Downsample(2)
        self.project = nn.Linear(max(dims), JOINER)

    def forward(self, x: Tensor, *states: Tensor):
        *layer_states, embed_state, processed = states
        x, embed_state = self.embed(x, embed_state)
        x = x.permute(1, 0, 2)
        # Left context that was never heard is masked.
        age = torch.arange(LEFT - 1, -1, -1)
        unheard = age.unsqueeze(0) >= processed.unsqueeze(1)
        mask = torch.cat([unheard, torch.zeros_like(unheard[:, : self.chunk])], dim=1)
        next_states, outputs, at = [], [], 0
        for s, factor in enumerate(DOWNSAMPLING):
            x = fit(x, self.dims[s])
            before = x
            if factor > 1:
                x = self.down[s](x)
            for layer in self.stacks[s]:
                x, news = layer(x, layer_states[6 * at : 6 * at + 6], mask[:, ::factor])
                next_states += news
                at += 1
            if factor > 1:
                frames, batch, dim = x.shape
                x = x.unsqueeze(1).expand(frames, factor, batch, dim).reshape(frames * factor, batch, dim)
                x = self.combine[s](before, x)
            outputs.append(x)
        x = self.down_output(widest(outputs, self.dims))
        return (self.project(x.permute(1, 0, 2)), *next_states, embed_state, processed + self.chunk)


def fit(x: Tensor, dim: int) -> Tensor:
    if dim <= x.shape[-1]:
        return x[..., :dim]
    return torch.cat([x, torch.zeros_like(x[..., : dim - x.shape[-1]])], dim=-1)


def widest(outputs, dims) -> Tensor:
    """The last output, and the channels that it lacks from the last that has them."""
    pieces, have = [], 0
    for x, dim in zip(reversed(outputs), reversed(dims)):
        if dim > have:
            pieces.append(x[..., have:dim])
            have = dim
    return torch.cat(pieces, dim=-1)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, DECODER)
        self.convolution = nn.Conv1d(DECODER, DECODER, CONTEXT, groups=DECODER // 4, bias=False)
        self.project = nn.Linear(DECODER, JOINER)

    def forward(self, y: Tensor) -> Tensor:
        x = self.embedding(y.clamp(min=0)) * (y >= 0).unsqueeze(-1).to(torch.float32)
        return self.project(self.convolution(x.permute(0, 2, 1)).relu().squeeze(2))


class Joiner(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(JOINER, TOKENS)

    def forward(self, encoder_out: Tensor, decoder_out: Tensor) -> Tensor:
        return self.out((encoder_out + decoder_out).tanh())


def state_shapes(layers, dims, heads, kernels):
    """(name, shape of batch 1, batch axis), in the order of the network's inputs."""
    shapes, at = [], 0
    for s, count in enumerate(layers):
        context = LEFT // DOWNSAMPLING[s]
        for _ in range(count):
            shapes += [
                (f"cached_key_{at}", (context, 1, QUERY * heads[s]), 1),
                (f"cached_nonlin_attn_{at}", (1, 1, context, 3 * dims[s] // 4), 1),
                (f"cached_val1_{at}", (context, 1, VALUE * heads[s]), 1),
                (f"cached_val2_{at}", (context, 1, VALUE * heads[s]), 1),
                (f"cached_conv1_{at}", (1, dims[s], kernels[s] // 2), 0),
                (f"cached_conv2_{at}", (1, dims[s], kernels[s] // 2), 0),
            ]
            at += 1
    shapes.append(("embed_states", (1, 128, 3, ((BINS - 1) // 2 - 1) // 2), 0))
    return shapes
