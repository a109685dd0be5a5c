"""Drawn channels as the network sees them, in a file: drawing takes longer than training."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from earshot_training.corpus import Item

from .features import see
from .material import Channels

AT_ONCE = 100


@dataclass
class Pool:
    """Arrays of [channels, frames(, INPUTS)]."""

    inputs: np.ndarray
    asked: np.ndarray
    energy: np.ndarray
    speech: np.ndarray
    weight: np.ndarray


def draw(items: list[Item], count: int, seed: int, path: Path) -> Pool:
    """Reads the file, or makes it."""
    if not path.exists():
        parts = []
        for at in range(0, count, AT_ONCE):
            source = Channels(items, seed + at)
            drawn = [source.draw() for _ in range(min(AT_ONCE, count - at))]
            seen = see(np.stack([one.pcm for one in drawn]))
            parts.append((seen.inputs.astype(np.float16), seen.asked, seen.energy, np.stack([one.speech for one in drawn]), np.stack([one.weight for one in drawn])))
            print(f"vad: {min(count, at + AT_ONCE)} of {count} channels drawn", flush=True)
        arrays = [np.concatenate(list(part)) for part in zip(*parts)]
        whole = path.with_suffix(".part.npz")
        np.savez(whole, *arrays)
        whole.rename(path)
    with np.load(path) as saved:
        return Pool(*(saved[f"arr_{i}"] for i in range(5)))
