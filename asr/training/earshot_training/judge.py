"""Word error rates of a network, per voice and condition."""

from dataclasses import dataclass, field

import torch

from .batches import Batcher
from .corpus import Item
from .network import Recogniser
from .pieces import Pieces


def distance(reference: list[str], said: list[str]) -> int:
    """Words inserted, left out or replaced (Levenshtein)."""
    row = list(range(len(said) + 1))
    for i, word in enumerate(reference, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(said, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


@dataclass
class Tally:
    errors: int = 0
    words: int = 0

    @property
    def wer(self) -> float:
        return self.errors / max(1, self.words)


@dataclass
class Verdict:
    whole: Tally = field(default_factory=Tally)
    by_voice: dict[str, Tally] = field(default_factory=dict)
    examples: list[tuple[str, str]] = field(default_factory=list)

    def add(self, voice: str, reference: str, said: str) -> None:
        errors, words = distance(reference.split(), said.split()), len(reference.split())
        for tally in (self.whole, self.by_voice.setdefault(voice, Tally())):
            tally.errors += errors
            tally.words += words
        self.examples.append((reference, said))


def greedy(logs: torch.Tensor, frames: torch.Tensor, pieces: Pieces) -> list[str]:
    """Best token a frame, collapsed (Graves et al. 2006)."""
    said = []
    for ids, count in zip(logs.argmax(-1).tolist(), frames.tolist()):
        kept, previous = [], 0
        for token in ids[:count]:
            if token not in (0, previous):
                kept.append(token)
            previous = token
        said.append(pieces.decode(kept))
    return said


@torch.no_grad()
def judge(model: Recogniser, items: list[Item], batcher: Batcher, condition: str, rows: int = 20) -> Verdict:
    verdict = Verdict()
    device = next(model.parameters()).device
    model.eval()
    for at in range(0, len(items), rows):
        some = items[at : at + rows]
        batch = batcher.judging(some, condition)
        logs, _ = model(batch.pcm.to(device), model.zero_state(len(some), device))
        for item, said in zip(some, greedy(logs.cpu(), batch.frames, batcher.pieces)):
            verdict.add(item.voice, item.text, said)
    model.train()
    return verdict
