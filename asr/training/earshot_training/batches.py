"""Utterances to batches: augmented sound, tokens, phones a frame."""

import collections
from dataclasses import dataclass

import numpy as np
import torch

from .augment import RATE, Telephone
from .corpus import Item
from .network import Shape
from .pieces import Pieces

#: Silence that the network needs after the last sound to say its last token; also flushMs of model.json.
TAIL_S = 0.42
#: A frame's phone is the one that sounded so long before the frame's end: time to be sure of it.
PHONE_DELAY_S = 0.09
NO_PHONE = -1


@dataclass
class Batch:
    #: float32 [B, N]
    pcm: torch.Tensor
    #: int64 [B]
    frames: torch.Tensor
    #: int64 [sum of tokens]
    tokens: torch.Tensor
    token_counts: torch.Tensor
    #: int64 [B, T], NO_PHONE where not known
    phones: torch.Tensor
    seconds: float


class PhoneSet:
    """Numbers for phones of all synthesisers: each alphabet is kept as it is, silence is 0."""

    def __init__(self, names: list[str]):
        self.names = names
        self._ids = {name: i + 1 for i, name in enumerate(names)}

    @classmethod
    def of(cls, items: list[Item], limit: int = 250) -> "PhoneSet":
        """The most frequent phones of a corpus; the same for every process that reads it."""
        counts: collections.Counter = collections.Counter()
        for item in items:
            engine = item.voice.split(":")[0]
            counts.update(cls._name(engine, phone) for phone, _ in item.phones or [])
        counts.pop(None, None)
        return cls([name for name, _ in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:limit]])

    @property
    def size(self) -> int:
        return len(self.names) + 1

    def id(self, engine: str, phone: str) -> int:
        name = self._name(engine, phone)
        return 0 if name is None else self._ids.get(name, NO_PHONE)

    @staticmethod
    def _name(engine: str, phone: str) -> str | None:
        if phone in ("pau", "_:", "_", "", "ssil", "h#"):
            return None
        return f"espeak:{phone}" if engine == "espeak" else phone


def joined(items: list[Item], pause_s: float) -> tuple[np.ndarray, str, list[tuple[str, str, float]] | None]:
    """Utterances after one another. @returns sound, text, (engine, phone, end) or None"""
    sounds, phones, at = [], [], 0.0
    known = all(item.phones is not None for item in items)
    for i, item in enumerate(items):
        if i > 0:
            sounds.append(np.zeros(int(pause_s * RATE), np.float32))
            at += pause_s
        pcm = item.pcm()
        engine = item.voice.split(":")[0]
        if known:
            phones += [(engine, name, at + end) for name, end in item.phones]
        sounds.append(pcm)
        at += len(pcm) / RATE
    return np.concatenate(sounds), " ".join(item.text for item in items), phones if known else None


class Batcher:
    def __init__(self, shape: Shape, pieces: Pieces, phone_set: PhoneSet, seed: int):
        self.shape = shape
        self.pieces = pieces
        self.phone_set = phone_set
        self.telephone = Telephone(seed)

    def training(self, groups: list[list[Item]]) -> Batch:
        """@param groups each becomes one row: its utterances one after another"""
        rows = []
        clean = [joined(group, float(self.telephone.chance.uniform(0.1, 0.7))) for group in groups]
        for pcm, text, phones in clean:
            others = [other for other, _, _ in clean if other is not pcm]
            line = self.telephone.line(pcm, TAIL_S, others)
            rows.append((line.pcm, text, self._phones(line, phones)))
        return self._stack(rows)

    def judging(self, items: list[Item], condition: str) -> Batch:
        rows = []
        for item in items:
            line = self.telephone.condition(item.pcm(), TAIL_S, condition)
            rows.append((line.pcm, item.text, None))
        return self._stack(rows)

    def _phones(self, line, phones) -> np.ndarray | None:
        if phones is None:
            return None
        frames = len(line.pcm) // self.shape.frame_samples
        ends_s = (np.arange(frames) + 1) * self.shape.frame_samples / RATE
        clean_s = (ends_s - PHONE_DELAY_S - line.lead_s) * line.speed
        ids = np.array([self.phone_set.id(engine, name) for engine, name, _ in phones] + [0])
        at = np.searchsorted(np.array([end for _, _, end in phones]), clean_s)
        return np.where(clean_s < 0, 0, ids[np.minimum(at, len(phones))])

    def _stack(self, rows) -> Batch:
        frame = self.shape.frame_samples
        longest = -(-max(len(pcm) for pcm, _, _ in rows) // frame)
        pcm = np.zeros((len(rows), longest * frame), np.float32)
        phones = np.full((len(rows), longest), NO_PHONE, np.int64)
        tokens, counts, frames = [], [], []
        for i, (sound, text, row_phones) in enumerate(rows):
            pcm[i, : len(sound)] = sound
            ids = self.pieces.encode(text)
            tokens += ids
            counts.append(len(ids))
            frames.append(len(sound) // frame)
            if row_phones is not None:
                phones[i, : len(row_phones)] = row_phones
        return Batch(
            torch.from_numpy(pcm), torch.tensor(frames), torch.tensor(tokens), torch.tensor(counts),
            torch.from_numpy(phones), pcm.size / RATE,
        )


def buckets(items: list[Item], seconds: float, chance: np.random.Generator, join: float) -> list[list[list[Item]]]:
    """
    Batches of about `seconds`, rows of like length together, in an order drawn anew each time.
    @param join share of rows that are two utterances of any voices, so that words after words are learnt too
    """
    order = chance.permutation(len(items))
    groups, i = [], 0
    while i < len(order):
        both = chance.random() < join and i + 1 < len(order)
        group = [items[order[i]], items[order[i + 1]]] if both else [items[order[i]]]
        if sum(item.samples for item in group) <= 20 * RATE:
            groups.append(group)
        else:
            groups += [[item] for item in group]
        i += 2 if both else 1
    length = {id(group): sum(item.samples for item in group) / RATE + 0.9 for group in groups}
    groups.sort(key=lambda group: length[id(group)] + chance.uniform(-0.7, 0.7))
    batches, batch, longest = [], [], 0.0
    for group in groups:
        longest_with = max(longest, length[id(group)])
        if batch and longest_with * (len(batch) + 1) > seconds:
            batches.append(batch)
            batch, longest_with = [], length[id(group)]
        batch.append(group)
        longest = longest_with
    if batch:
        batches.append(batch)
    return [batches[i] for i in chance.permutation(len(batches))]
