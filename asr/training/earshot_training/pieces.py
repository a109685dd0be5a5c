"""Word pieces: byte-pair merges within words (Sennrich et al. 2016), a mark before each word's first piece."""

import collections
import json
from pathlib import Path

BLANK = "<blk>"
MARK = "\u2581"
LETTERS = "abcdefghijklmnopqrstuvwxyz'"
#: Longer pieces are rare and come late: a piece is emitted when its last sound is heard.
LONGEST = 4
#: A word that a template repeats counts no more than this, lest the pieces be those of the templates.
CAP = 400


def learn(texts: list[str], words: list[str], size: int) -> list[list[str]]:
    """@returns the merges, in order, that make `size` pieces with blank, mark and letters"""
    counts = collections.Counter(MARK + word for text in texts for word in text.split())
    counts.update(MARK + word for word in words)
    spelled = {word: list(word) for word in counts}
    merges: list[list[str]] = []
    while len(merges) + 2 + len(LETTERS) < size:
        pairs: collections.Counter = collections.Counter()
        for word, parts in spelled.items():
            for pair in zip(parts, parts[1:]):
                if len(pair[0] + pair[1]) <= LONGEST:
                    pairs[pair] += min(counts[word], CAP)
        (left, right), _ = max(pairs.items(), key=lambda item: (item[1], item[0]))
        merges.append([left, right])
        for word, parts in spelled.items():
            if left in parts:
                spelled[word] = merge(parts, left, right)
    return merges


def merge(parts: list[str], left: str, right: str) -> list[str]:
    out, i = [], 0
    while i < len(parts):
        if parts[i] == left and i + 1 < len(parts) and parts[i + 1] == right:
            out.append(left + right)
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return out


class Pieces:
    """Text to ids and back. Id 0 is the blank."""

    def __init__(self, merges: list[list[str]]):
        self.merges = merges
        self.names = [BLANK, MARK, *LETTERS, *(left + right for left, right in merges)]
        self._ids = {name: i for i, name in enumerate(self.names)}
        self._rank = {(left, right): i for i, (left, right) in enumerate(merges)}
        self._cache: dict[str, list[int]] = {}

    @classmethod
    def load(cls, path: Path) -> "Pieces":
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.merges, ensure_ascii=False), encoding="utf-8")

    def save_tokens(self, path: Path) -> None:
        """tokens.txt of the model's folder: `symbol id` a line."""
        path.write_text("".join(f"{name} {i}\n" for i, name in enumerate(self.names)), encoding="utf-8")

    @classmethod
    def from_tokens(cls, path: Path) -> "Pieces":
        """The pieces of a model made earlier: merges are found again from the order of its tokens."""
        names = [line.split(" ")[0] for line in path.read_text(encoding="utf-8").splitlines()]
        known = names[: 2 + len(LETTERS)]
        if known != [BLANK, MARK, *LETTERS]:
            raise ValueError(f"{path}: not the tokens of a model of this pipeline")
        merges = []
        at = {name: i for i, name in enumerate(known)}
        for name in names[len(known) :]:
            splits = [(name[:i], name[i:]) for i in range(1, len(name))]
            splits = [(left, right) for left, right in splits if left in at and right in at]
            if not splits:
                raise ValueError(f"{path}: {name!r} is not made of earlier pieces")
            # The merge whose parts were both there first is the one that was learnt.
            merges.append(list(min(splits, key=lambda pair: max(at[pair[0]], at[pair[1]]))))
            at[name] = len(at)
        return cls(merges)

    def encode(self, text: str) -> list[int]:
        return [i for word in text.split() for i in self._word(word)]

    def _word(self, word: str) -> list[int]:
        if word not in self._cache:
            parts = list(MARK + word)
            while len(parts) > 1:
                ranked = [(self._rank.get(pair, 1 << 30), i) for i, pair in enumerate(zip(parts, parts[1:]))]
                rank, i = min(ranked)
                if rank == 1 << 30:
                    break
                parts[i : i + 2] = [parts[i] + parts[i + 1]]
            self._cache[word] = [self._ids[part] for part in parts]
        return self._cache[word]

    def decode(self, ids: list[int]) -> str:
        return "".join(self.names[i] for i in ids).replace(MARK, " ").strip()
