"""Word n-grams with back-off (Katz 1987), as sorted arrays: counted, mixed, pruned.

An n-gram is one number: its words' ids as digits in base `len(words)`. Probabilities are natural logarithms.
"""

from dataclasses import dataclass

import numpy as np

ORDER = 3
UNKNOWN, END, BEGIN = "<unk>", "</s>", "<s>"
SPECIAL = [UNKNOWN, END, BEGIN]
#: What cannot come: <s> after anything.
NEVER = -99.0


@dataclass
class Table:
    """The n-grams of one order, by rising key."""

    keys: np.ndarray
    logs: np.ndarray
    #: what is added to the shorter n-gram's logarithm after this one, where no longer one is there
    backoffs: np.ndarray

    def find(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """@returns where each key is, and whether it is there at all"""
        if len(self.keys) == 0:
            return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
        at = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return at, self.keys[at] == wanted


@dataclass
class Ngrams:
    #: SPECIAL first, then the others sorted
    words: list[str]
    #: by order, from 1 on; the unigrams are all words, in their order
    tables: list[Table]

    @property
    def base(self) -> int:
        return len(self.words)

    def logs(self, order: int, keys: np.ndarray) -> np.ndarray:
        """Log-probability of each n-gram's last word after the others."""
        if order == 1:
            return self.tables[0].logs[keys]
        at, there = self.tables[order - 1].find(keys)
        before, known = self.tables[order - 2].find(keys // self.base)
        backoff = np.where(known, self.tables[order - 2].backoffs[before], 0.0)
        shorter = self.logs(order - 1, keys % self.base ** (order - 1))
        return np.where(there, self.tables[order - 1].logs[at] if len(self.tables[order - 1].keys) else 0.0, backoff + shorter)

    def normalise(self) -> None:
        """Sets back-offs so that the probabilities after each history sum to one."""
        unigrams = self.tables[0]
        unigrams.logs -= np.log(np.exp(unigrams.logs).sum())
        for order in range(2, len(self.tables) + 1):
            table, histories = self.tables[order - 1], self.tables[order - 2]
            histories.backoffs[:] = 0.0
            groups = self._groups(order)
            left, free = groups.left, groups.free
            histories.backoffs[groups.at] = np.log(left) - np.log(free)
        self.tables[-1].backoffs[:] = 0.0

    def _groups(self, order: int) -> "Groups":
        table = self.tables[order - 1]
        contexts, first = np.unique(table.keys // self.base, return_index=True)
        at, there = self.tables[order - 2].find(contexts)
        if not there.all():
            raise ValueError("an n-gram's history is missing")
        shorter = np.exp(self.logs(order - 1, table.keys % self.base ** (order - 1)))
        own = np.exp(table.logs)
        counts = np.diff(np.append(first, len(table.keys)))
        left = np.maximum(1 - np.add.reduceat(own, first), 1e-6) if len(first) else np.zeros(0)
        free = np.maximum(1 - np.add.reduceat(shorter, first), 1e-6) if len(first) else np.zeros(0)
        return Groups(contexts, at, counts, own, shorter, left, free)

    def pruned(self, order: int, keep: int) -> "Ngrams":
        """
        Without the n-grams of an order that matter least: those whose loss changes what is said after their history least, by
        relative entropy (Stolcke 1998). Those that are histories of longer ones stay.
        """
        table = self.tables[order - 1]
        if len(table.keys) <= keep:
            return self
        groups = self._groups(order)
        weight = np.repeat(self._history_logs(order - 1, groups.contexts), groups.counts)
        left, free = np.repeat(groups.left, groups.counts), np.repeat(groups.free, groups.counts)
        after = np.log(left + groups.own) - np.log(free + groups.shorter)
        before = np.log(left) - np.log(free)
        loss = -np.exp(weight) * (groups.own * (np.log(groups.shorter) + after - table.logs) + left * (after - before))
        if order < len(self.tables):
            needed = np.unique(self.tables[order].keys // self.base)
            at, _ = table.find(needed)
            loss[at] = np.inf
        kept = np.sort(np.argpartition(-loss, keep - 1)[:keep])
        tables = [Table(t.keys.copy(), t.logs.copy(), t.backoffs.copy()) for t in self.tables]
        tables[order - 1] = Table(table.keys[kept], table.logs[kept], table.backoffs[kept])
        result = Ngrams(self.words, tables)
        result.normalise()
        return result

    def _history_logs(self, length: int, keys: np.ndarray) -> np.ndarray:
        """How likely a history of `length` words is; a sentence begins as often as one ends."""
        first = keys // self.base ** (length - 1)
        unigrams = self.tables[0].logs.copy()
        unigrams[SPECIAL.index(BEGIN)] = unigrams[SPECIAL.index(END)]
        total = unigrams[first]
        for order in range(2, length + 1):
            total = total + self.logs(order, keys // self.base ** (length - order))
        return total


@dataclass
class Groups:
    """N-grams by history. left: what the explicit ones leave; free: what the shorter ones' leave."""

    contexts: np.ndarray
    at: np.ndarray
    counts: np.ndarray
    own: np.ndarray
    shorter: np.ndarray
    left: np.ndarray
    free: np.ndarray


def vocabulary(words: set[str]) -> list[str]:
    return SPECIAL + sorted(words - set(SPECIAL))


def counted(words: list[str], sentences: list[str]) -> Ngrams:
    """Interpolated Witten-Bell estimates (Witten and Bell 1991). Words that are not in the list count as unknown."""
    ids = {word: i for i, word in enumerate(words)}
    unknown, end, begin = (SPECIAL.index(name) for name in (UNKNOWN, END, BEGIN))
    flat: list[int] = []
    for sentence in sentences:
        flat.append(begin)
        flat.extend(ids.get(word, unknown) for word in sentence.split())
        flat.append(end)
    said, base = np.array(flat, np.int64), len(words)
    tables: list[Table] = []
    model = Ngrams(words, tables)
    keys, inside = said, said != begin
    for order in range(1, ORDER + 1):
        if order > 1:
            keys, inside = keys[:-1] * base + said[order - 1 :], inside[1:] & (inside[:-1] if order > 2 else True)
        grams, counts = np.unique(keys[inside], return_counts=True)
        if order == 1:
            all_counts = np.bincount(said[inside], minlength=base).astype(float)
            kinds = (all_counts > 0).sum()
            logs = np.log((all_counts + kinds / base) / (all_counts.sum() + kinds))
            logs[begin] = NEVER
            grams = np.arange(base, dtype=np.int64)
        else:
            _, first, group = np.unique(grams // base, return_index=True, return_inverse=True)
            totals = np.add.reduceat(counts, first)[group]
            kinds = np.diff(np.append(first, len(grams)))[group]
            shorter = np.exp(model.logs(order - 1, grams % base ** (order - 1)))
            logs = np.log((counts + kinds * shorter) / (totals + kinds))
        tables.append(Table(grams, logs, np.zeros(len(grams))))
        if order > 1:
            model.normalise()
    return model


def mixed(a: Ngrams, b: Ngrams, share: float) -> Ngrams:
    """Both, `share` of the first. @param b of the same words"""
    if a.words != b.words:
        raise ValueError("two lists of words")
    tables = []
    for order in range(1, ORDER + 1):
        keys = np.union1d(a.tables[order - 1].keys, b.tables[order - 1].keys)
        logs = np.logaddexp(np.log(share) + a.logs(order, keys), np.log1p(-share) + b.logs(order, keys))
        tables.append(Table(keys, logs, np.zeros(len(keys))))
    result = Ngrams(a.words, tables)
    result.normalise()
    return result
