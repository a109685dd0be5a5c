"""What is said: templates of contact-centre speech, and general English from what Debian has of it."""

import collections
import glob
import gzip
import html
import random
import re
from pathlib import Path

from .slots import Slots

HERE = Path(__file__).parent
#: Folders of Debian packages with running English: fortunes, bible-kjv has none as text, anarchism is a long FAQ.
PROSE = ["/usr/share/games/fortunes/*[!.][!d][!a]*", "/usr/share/doc/anarchism/html/*.html"]
DICTIONARY = "/usr/share/festival/dicts/cmu/cmudict-0.4.out"
WORD_LISTS = ["/usr/share/dict/american-english-small", "/usr/share/dict/words"]

FILLERS = ["um", "uh", "er", "well", "yeah", "okay", "so", "right", "oh", "hmm", "you know", "i mean", "like", "actually"]


def pronounceable_words() -> list[str]:
    """Everyday words whose pronunciation the CMU dictionary of festival has. @raises FileNotFoundError"""
    known = set(re.findall(r'^\("([a-z]{2,14})" ', Path(DICTIONARY).read_text(errors="replace"), re.M))
    path = next((name for name in WORD_LISTS if Path(name).exists()), None)
    if path is None or not known:
        raise FileNotFoundError("install the Debian packages wamerican-small and festlex-cmu")
    words = {line.strip() for line in open(path, encoding="utf-8")}
    return sorted(word for word in words if word in known)


def prose_sentences(words: set[str]) -> list[str]:
    """Sentences of 3 to 16 everyday words from Debian's English texts, normalised; empty where no text is installed."""
    found: set[str] = set()
    for pattern in PROSE:
        for name in sorted(glob.glob(pattern)):
            opened = gzip.open(name, "rt", errors="replace") if name.endswith(".gz") else open(name, errors="replace")
            try:
                with opened as file:
                    raw = file.read()
            except (OSError, UnicodeError):
                continue
            if "\0" in raw:
                continue
            plain = html.unescape(re.sub(r"<[^>]+>", " ", raw)) if name.endswith(".html") else raw
            plain = re.sub(r"\s+", " ", plain.replace("\u2019", "'"))
            for sentence in re.split(r"[.!?;:\"%()\[\]]+| -- ", plain):
                sentence = normalised(sentence)
                said = sentence.split()
                if 3 <= len(said) <= 16 and all(is_word(word, words) for word in said):
                    found.add(sentence)
    return sorted(found)


def is_word(word: str, words: set[str]) -> bool:
    stem = word.split("'")[0]
    return stem in words or stem in ("a", "i", "o") or (word.endswith("s") and word[:-1] in words)


def normalised(sentence: str) -> str:
    """As it is spoken: lower case a to z and apostrophes. Empty when it holds digits or anything else unspeakable."""
    sentence = sentence.strip().lower().replace(",", " ").replace("-", " ")
    return re.sub(r"\s+", " ", sentence) if re.fullmatch(r"[a-z' ]+", sentence) else ""


class TextSource:
    """An endless source of lines, the same for the same seed."""

    def __init__(self, seed: int, held_out: frozenset[str] = frozenset()):
        """@param held_out lines that are not to be said, neither alone nor with others or with fillers"""
        self.random = random.Random(seed)
        self.held_out = held_out
        known = pronounceable_words()
        self.prose = [line for line in prose_sentences(set(known)) if line not in held_out]
        counts = collections.Counter(word for sentence in self.prose for word in sentence.split())
        common = [word for word in known if counts[word] >= 3] or known
        # Mostly words that people use; the rare ones keep the ear open for names.
        self.words = common * max(1, 3 * len(known) // len(common)) + known
        self.slots = Slots(self.random, self.words)
        lines = (HERE / "templates.txt").read_text(encoding="utf-8").splitlines()
        self.templates = [line for line in lines if line and not line.startswith("#")]

    def line(self) -> str:
        """One utterance: 35 % calls, 45 % general English, 20 % words at random (so that no grammar is learnt by heart)."""
        kind = self.random.random()
        if kind < 0.35 or not self.prose:
            return self.call_utterance()
        if kind < 0.8:
            return self.disfluent(self.slots.one(self.prose))
        return " ".join(self.slots.one(self.words) for _ in range(self.random.randint(2, 9)))

    def call_utterance(self) -> str:
        """A line of a call, sometimes two, as people say it."""
        text = self.call_line()
        if len(text) < 50 and self.random.random() < 0.5:
            text += " " + self.call_line()
        return self.disfluent(text)

    def call_line(self) -> str:
        """A line of the templates that is not held out."""
        while (line := self.filled_template()) in self.held_out:
            pass
        return line

    def filled_template(self) -> str:
        template = self.slots.one(self.templates)
        while "(" in template:
            template = re.sub(r"\(([^()]*)\)", lambda group: self.slots.one(group[1].split("|")), template)
        filled = re.sub(r"\{(\w+)\}", lambda slot: self.slots.fill(slot[1]), template)
        return re.sub(r"\s+", " ", filled).strip()

    def disfluent(self, text: str) -> str:
        """Fillers, repeated words, false starts, as people talk."""
        words = text.split()
        chance = self.random.random()
        if chance < 0.15:
            words.insert(self.random.randrange(len(words) + 1), self.slots.one(FILLERS))
        elif chance < 0.20:
            at = self.random.randrange(len(words))
            words.insert(at, words[at])
        elif chance < 0.24 and len(words) > 4:
            words = words[: self.random.randint(1, 3)] + words
        elif chance < 0.32:
            words.insert(0, self.slots.one(FILLERS))
        return " ".join(words)
