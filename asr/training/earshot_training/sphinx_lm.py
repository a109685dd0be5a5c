"""Reads a trigram model of CMU Sphinx (`Trie Language Model`, as Debian's pocketsphinx-en-us has it).

The file: its name, uint8 order, uint32 n-grams of each order; uint32 1 for 16-bit values; float32[65536] tables of the
bigrams' probabilities and back-offs and of the trigrams' probabilities; a unigram (float32 probability, float32 back-off,
uint32 first bigram) for each word and one more; then bits: bigrams of word, back-off, probability and first trigram, trigrams of word
and value; then uint32 bytes of names, the names with a NUL after each. The n-grams lie last word first: a unigram's
bigrams are those that end in it. Logarithms are to the base 1.0001.
"""

import re
import struct
from pathlib import Path

import numpy as np

from .ngrams import BEGIN, END, NEVER, UNKNOWN, Ngrams, Table

NAME = b"Trie Language Model"
LOG_STEP = np.log(1.0001)
VALUES = 65_536


def spoken(word: str) -> str:
    """A word of the model as the pieces write it: `b.` and `b` are a letter's name. Empty when it has other signs."""
    if re.fullmatch(r"[a-z]\.", word):
        return word[0]
    return word if re.fullmatch(r"[a-z']+", word) and re.search("[a-z]", word) else ""


class SphinxModel:
    """@raises ValueError for a file of another form"""

    def __init__(self, path: Path):
        data = path.read_bytes()
        at = len(NAME)
        if data[:at] != NAME or data[at] != 3:
            raise ValueError(f"{path} is no trigram model of CMU Sphinx")
        counts = struct.unpack_from("<3I", data, at + 1)
        (kind,) = struct.unpack_from("<I", data, at + 13)
        if kind != 1:
            raise ValueError(f"{path} has values of another size than 16 bits")
        at += 17
        tables = np.frombuffer(data, "<f4", 3 * VALUES, at).reshape(3, VALUES) * LOG_STEP
        at += tables.size * 4
        unigrams = np.frombuffer(data, np.dtype([("log", "<f4"), ("backoff", "<f4"), ("next", "<u4")]), counts[0] + 1, at)
        at += unigrams.nbytes
        word_bits, next_bits = (int(count).bit_length() for count in (counts[0], counts[2]))
        bigrams = Bits(data, at, [word_bits, 16, 16, next_bits], counts[1] + 1)
        at += bigrams.bytes
        trigrams = Bits(data, at, [word_bits, 16], counts[2] + 1)
        at += trigrams.bytes
        (size,) = struct.unpack_from("<I", data, at)
        self.names = data[at + 4 : at + 4 + size].decode("utf-8", "replace").split("\0")[: counts[0]]
        if len(self.names) != counts[0] or at + 4 + size > len(data):
            raise ValueError(f"{path} is cut off")
        self.unigrams = unigrams["log"][:-1].astype(float) * LOG_STEP
        # Debian's file holds six bigrams fewer than it says.
        last = np.repeat(np.arange(counts[0]), np.diff(unigrams["next"].astype(np.int64)))
        before = bigrams.field(0)[: len(last)]
        self.bigrams = np.stack([before, last])
        self.bigram_logs = tables[0][bigrams.field(2)[: len(last)]]
        of = np.repeat(np.arange(len(last)), np.diff(bigrams.field(3)[: len(last) + 1]))
        self.trigrams = np.stack([trigrams.field(0)[: len(of)], before[of], last[of]])
        self.trigram_logs = tables[2][trigrams.field(1)[: len(of)]]

    def common_words(self, count: int) -> list[str]:
        """The likeliest words that the pieces can write."""
        found: dict[str, float] = {}
        for name, value in zip(self.names, self.unigrams.tolist()):
            word = spoken(name.lower())
            if word:
                found[word] = max(found.get(word, NEVER), value)
        return sorted(found, key=lambda word: (-found[word], word))[:count]

    def of(self, words: list[str]) -> Ngrams:
        """Its n-grams of these words; what it gives to others is shared out."""
        ids = {word: i for i, word in enumerate(words)}
        special = {"<s>": ids[BEGIN], "</s>": ids[END]}
        own = np.array([special.get(name, ids.get(spoken(name.lower()), -1)) for name in self.names])
        base = len(words)
        logs = np.full(base, NEVER)
        known = own >= 0
        np.maximum.at(logs, own[known], self.unigrams[known])
        # What it does not have is as likely as the rarest word that it has.
        rarest = logs[logs > NEVER / 2].min()
        logs[logs <= NEVER / 2] = rarest
        logs[ids[UNKNOWN]] = rarest
        logs[ids[BEGIN]] = NEVER
        tables = [Table(np.arange(base, dtype=np.int64), logs, np.zeros(base))]
        for grams, values in ((self.bigrams, self.bigram_logs), (self.trigrams, self.trigram_logs)):
            mapped = own[grams]
            whole = (mapped >= 0).all(0)
            keys = np.zeros(whole.sum(), np.int64)
            for row in mapped:
                keys = keys * base + row[whole]
            # Two spellings of one word: the likelier counts.
            order = np.lexsort((-values[whole], keys))
            keys, values = keys[order], values[whole][order]
            first = np.append(True, keys[1:] != keys[:-1])
            keys, values = keys[first], values[first]
            _, there = tables[-1].find(keys // base)
            tables.append(Table(keys[there], values[there].astype(float), np.zeros(there.sum())))
        model = Ngrams(words, tables)
        model.normalise()
        return model


class Bits:
    """Rows of fields of so many bits each, packed from the lowest bit on."""

    def __init__(self, data: bytes, at: int, widths: list[int], rows: int):
        self.widths = widths
        self.rows = rows
        #: a row more than there is, and a word to read past the end
        self.bytes = (rows * sum(widths) + 7) // 8 + 8
        self._data = np.frombuffer(data, np.uint8, min(self.bytes, len(data) - at), at)

    def field(self, number: int) -> np.ndarray:
        bit = np.arange(self.rows, dtype=np.int64) * sum(self.widths) + sum(self.widths[:number])
        value = np.zeros(self.rows, np.int64)
        for i in range(5):
            value |= self._data[np.minimum(bit // 8 + i, len(self._data) - 1)].astype(np.int64) << (8 * i)
        return (value >> (bit % 8)) & ((1 << self.widths[number]) - 1)
