"""The language model's file, as asr/src/decode/ngram-file.ts reads it.

All numbers are little-endian, every section begins at a multiple of 4 bytes:

    "EARSHLM1", uint32 words V, bigrams B, trigrams T, bytes of the word list, CRC-32 of all that follows the header, 0
    the word list: UTF-8, a line feed between words; id 0 is <unk>, 1 </s>, 2 <s>, the others are sorted by code points
    uint8[V] log-probability, uint8[V] back-off, uint32[V + 1] first bigram of each word
    uint16[B] second word, uint8[B] log-probability, uint8[B] back-off, uint32[B + 1] first trigram of each bigram
    uint16[T] third word, uint8[T] log-probability

A natural log-probability is -byte / 16, a back-off's logarithm is 2 - byte / 16.
"""

import struct
import zlib
from pathlib import Path

import numpy as np

from .ngrams import Ngrams

MAGIC = b"EARSHLM1"
STEPS = 16
MOST_BACKOFF = 2
#: The last id stands for no word (lexicon.ts).
MOST_WORDS = 65_534


def bytes_of_logs(logs: np.ndarray) -> np.ndarray:
    return np.clip(np.round(-logs * STEPS), 0, 255).astype(np.uint8)


def bytes_of_backoffs(logs: np.ndarray) -> np.ndarray:
    return np.clip(np.round((MOST_BACKOFF - logs) * STEPS), 0, 255).astype(np.uint8)


def as_kept(model: Ngrams) -> Ngrams:
    """A copy with probabilities as the file has them; back-offs make up for what rounding took."""
    from .ngrams import Table

    tables = [Table(t.keys, -bytes_of_logs(t.logs).astype(float) / STEPS, t.backoffs.copy()) for t in model.tables]
    copy = Ngrams(model.words, tables)
    first = tables[0].logs.copy()
    copy.normalise()
    tables[0].logs[:] = first
    return copy


def write_language_model(model: Ngrams, path: Path) -> int:
    """@returns bytes @raises ValueError for more words than 16 bits can count"""
    base = model.base
    if base > MOST_WORDS:
        raise ValueError(f"{base} words")
    unigrams, bigrams, trigrams = as_kept(model).tables
    text = "\n".join(model.words).encode()
    first_bigrams = np.searchsorted(bigrams.keys // base, np.arange(base + 1))
    first_trigrams = np.searchsorted(trigrams.keys // base, np.append(bigrams.keys, np.iinfo(np.int64).max))
    sections = [
        text,
        bytes_of_logs(unigrams.logs), bytes_of_backoffs(unigrams.backoffs), first_bigrams.astype("<u4"),
        (bigrams.keys % base).astype("<u2"), bytes_of_logs(bigrams.logs), bytes_of_backoffs(bigrams.backoffs),
        first_trigrams.astype("<u4"),
        (trigrams.keys % base).astype("<u2"), bytes_of_logs(trigrams.logs),
    ]
    body = b"".join(padded(section if isinstance(section, bytes) else section.tobytes()) for section in sections)
    header = MAGIC + struct.pack("<6I", base, len(bigrams.keys), len(trigrams.keys), len(text), zlib.crc32(body), 0)
    path.write_bytes(header + body)
    return len(header) + len(body)


def padded(section: bytes) -> bytes:
    return section + b"\0" * (-len(section) % 4)
