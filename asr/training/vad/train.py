"""Weights from pools of drawn channels, and what they do behind the gate."""

import time

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, max_pool1d, pad

from .network import Detector
from .pool import Pool

BATCH = 32
#: What a frame weighs by itself, beside what the gate makes of all of them.
BY_ITSELF = 0.3
#: The logit of frames that are no speech without asking.
NEVER = -8.0
#: The gate, in frames: contracts/src/speech.ts.
PRE_ROLL, HANGOVER = 15, 30
#: Frames that the gate is to have in hand at both ends of speech.
SPARE = 3


def gated(x: Tensor, spare: int = 0) -> Tensor:
    """What opens the gate at each frame: the highest of the frames from its hangover before to its pre-roll after."""
    before, after = HANGOVER - spare, PRE_ROLL - spare
    return max_pool1d(pad(x.unsqueeze(1), (before, after), value=NEVER), before + after + 1, 1).squeeze(1)


def loss_of(logits: Tensor, speech: Tensor, weight: Tensor, asked: Tensor, energy: Tensor) -> Tensor:
    """
    That the gate is open for every frame of speech, which one sure frame nearby is enough for, and closed where no speech is
    near; and a little of what each frame is by itself, so that all of them learn.
    """
    passing = torch.where(asked & energy, logits, torch.tensor(NEVER))
    needed = gated(speech) > 0.5
    open_for = binary_cross_entropy_with_logits(gated(passing, SPARE), speech, speech * weight, reduction="sum") / (speech * weight).sum()
    rest = (~needed) * weight
    shut_for = binary_cross_entropy_with_logits(gated(passing), torch.zeros_like(speech), rest, reduction="sum") / rest.sum()
    each = weight * asked
    return open_for + shut_for + BY_ITSELF * binary_cross_entropy_with_logits(logits, speech, each, reduction="sum") / each.sum()


def train(pool: Pool, minutes: float, init: dict[str, Tensor] | None = None, seed: int = 1) -> Detector:
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    chance = np.random.default_rng(seed)
    model, began, step, lost = Detector(), time.time(), 0, 0.0
    if init is not None:
        model.load_state_dict(init)
    best = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=1e-3)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    while (share := (time.time() - began) / (60 * minutes)) < 1:
        for group in best.param_groups:
            group["lr"] = 4e-3 * min(1, step / 50) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * share)))
        some = np.sort(chance.choice(len(pool.inputs), BATCH, replace=False))
        asked = torch.from_numpy(pool.asked[some])
        logits = model(torch.from_numpy(pool.inputs[some].astype(np.float32)), asked)
        loss = loss_of(logits, *(torch.from_numpy(x[some]) for x in (pool.speech, pool.weight)), asked, torch.from_numpy(pool.energy[some]))
        best.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        best.step()
        for name, value in model.state_dict().items():
            average[name].lerp_(value, 0.005 if step > 100 else 1)
        step += 1
        lost += loss.item()
        if step % 50 == 0:
            print(f"vad: step {step}, {100 * share:.0f} %, loss {lost / 50:.4f}", flush=True)
            lost = 0.0
    model.load_state_dict(average)
    return model


def logits_of(model: Detector, pool: Pool) -> np.ndarray:
    with torch.no_grad():
        return np.concatenate([
            model(torch.from_numpy(pool.inputs[at : at + 50].astype(np.float32)), torch.from_numpy(pool.asked[at : at + 50])).numpy()
            for at in range(0, len(pool.inputs), 50)
        ])


def decide(logits: np.ndarray, pool: Pool, threshold: float) -> np.ndarray:
    """Speech where energy says so and the network is not sure of the contrary."""
    return pool.asked & pool.energy & (logits > threshold)


def opened(bits: np.ndarray) -> np.ndarray:
    out = bits.copy()
    for k in range(1, PRE_ROLL + 1):
        out[:, :-k] |= bits[:, k:]
    for k in range(1, HANGOVER + 1):
        out[:, k:] |= bits[:, :-k]
    return out


def judge(bits: np.ndarray, pool: Pool) -> dict[str, float]:
    """Spans of speech that are not wholly within the gate; the share of the rest for which it is closed."""
    gate, spans, missed = opened(bits), 0, 0
    spoken = pool.speech > 0.5
    for channel, speech in enumerate(spoken):
        edges = np.nonzero(np.diff(np.concatenate([[0], speech.astype(int), [0]])))[0]
        for a, b in zip(edges[::2], edges[1::2]):
            spans += 1
            missed += not gate[channel, a:b].all()
    needed = opened(spoken)
    return {"spans": spans, "missed %": round(100 * missed / max(1, spans), 2), "rest closed %": round(100 * (1 - gate[~needed].mean()), 1)}
