"""The language model of a model folder: trigrams of calls and of general English, in one file that the engine's beam reads."""

import json
import re
from pathlib import Path

from .corpus import held_out_lines
from .lm_file import write_language_model
from .ngrams import Ngrams, counted, mixed, vocabulary
from .sphinx_lm import SphinxModel
from .text import TextSource

#: Debian's pocketsphinx-en-us: trigrams of American English, of talk and of news (BSD licence).
GENERAL = Path("/usr/share/pocketsphinx/model/en-us/en-us.lm.bin")
SEED = 700_001
CALL_LINES = 300_000
GENERAL_WORDS = 40_000
BIGRAMS, TRIGRAMS = 480_000, 1_260_000
#: Of calls against all, and of Debian's prose against prose and general English.
CALL_SHARE, PROSE_SHARE = 0.2, 0.05
#: How much it counts (model.json's languageModel), chosen on sentences of their own in seven voices: neither of the corpus nor judged by.
WEIGHTS = {"weight": 0.6, "insertion": 2, "letterCost": 2, "unknownCost": 0}


def call_lines(count: int, seed: int = SEED) -> list[str]:
    """Lines of the templates as the corpus has them, but none that a model is judged by, nor one within another."""
    source = TextSource(seed, frozenset(held_out_lines()))
    return [source.call_utterance() for _ in range(count)]


def make_language_model(target: Path, call_count: int) -> None:
    """Writes target, and beside it what it was made of as .json. @raises FileNotFoundError without pocketsphinx-en-us"""
    calls, prose = call_lines(call_count), prose_lines()
    whole = build(calls, prose)
    model = shipped(whole)
    part = target.with_suffix(".part")
    size = write_language_model(model, part)
    facts = {
        "bytes": size, "words": model.base, "bigrams": len(model.tables[1].keys), "trigrams": len(model.tables[2].keys),
        "callLines": len(calls), "proseLines": len(prose), "callShare": CALL_SHARE, "proseShare": PROSE_SHARE,
    }
    target.with_suffix(".json").write_text(json.dumps(facts))
    part.rename(target)


def prose_lines() -> list[str]:
    return TextSource(SEED, frozenset(held_out_lines())).prose


def build(calls: list[str], prose: list[str], general: Path = GENERAL) -> Ngrams:
    """All of it, not yet pruned."""
    sphinx = SphinxModel(general)
    words = set(sphinx.common_words(GENERAL_WORDS))
    words.update(word for line in calls for word in line.split())
    list_of_words = vocabulary({word for word in words if re.fullmatch("[a-z']+", word)})
    english = sphinx.of(list_of_words)
    if prose:
        english = mixed(counted(list_of_words, prose), english, PROSE_SHARE)
    return mixed(counted(list_of_words, calls), english, CALL_SHARE)


def shipped(model: Ngrams) -> Ngrams:
    return model.pruned(3, TRIGRAMS).pruned(2, BIGRAMS)
