"""The corpus on disk: clean speech at 8 kHz with its text and phones. Telephone lines are put over it while training.

A corpus folder holds shards: `N.i16` (16-bit PCM, utterances one after another) and `N.jsonl` (a line an utterance: text,
voice, offset and samples, phones as [name, end in seconds] or null). A shard is made from its own seed and is renamed into
place when it is whole: a run that was broken off goes on with the next shard.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .text import HERE, TextSource
from .voices import HELD_OUT, RATE, Choir, Phones, Utterance

SHARD_HOURS = 0.5
LINES_AT_ONCE = 100
SHORTEST_S, LONGEST_S = 0.35, 15.0
#: Seed of the held-out lines; shards have the small numbers.
TEST_SEED = 900_001
#: Held-out lines of the templates; the free ones are in held_out.txt.
TEMPLATE_LINES = 250


@dataclass
class Item:
    """One utterance of a corpus."""

    text: str
    voice: str
    shard: np.ndarray
    offset: int
    samples: int
    phones: Phones | None

    def pcm(self) -> np.ndarray:
        return self.shard[self.offset : self.offset + self.samples].astype(np.float32) / 32768


def held_out_lines() -> list[str]:
    """Every sentence that a model is tested with: the written ones, and TEMPLATE_LINES of the templates' under a seed of their own."""
    written = [line for line in (HERE / "held_out.txt").read_text().splitlines() if line and not line.startswith("#")]
    source = TextSource(TEST_SEED)
    return written + [source.call_line() for _ in range(TEMPLATE_LINES)]


def write_shard(folder: Path, name: str, said: list[Utterance]) -> float:
    """@returns hours"""
    offset = 0
    sound, facts = folder / f"{name}.i16.part", folder / f"{name}.jsonl.part"
    with open(sound, "wb") as pcm, open(facts, "w", encoding="utf-8") as rows:
        for utterance in said:
            samples = np.clip(utterance.pcm * 32767, -32768, 32767).astype(np.int16)
            if not SHORTEST_S * RATE <= len(samples) <= LONGEST_S * RATE:
                continue
            pcm.write(samples.tobytes())
            phones = utterance.phones and [[phone, round(end, 4)] for phone, end in utterance.phones]
            row = {"text": utterance.text, "voice": utterance.voice, "offset": offset, "samples": len(samples), "phones": phones}
            rows.write(json.dumps(row) + "\n")
            offset += len(samples)
    sound.rename(folder / f"{name}.i16")
    facts.rename(folder / f"{name}.jsonl")
    return offset / RATE / 3600


def read_shard(path: Path) -> list[Item]:
    """@param path its .jsonl"""
    # Into memory (58 MB an hour): mapped files are read from a busy disk again and again.
    pcm = np.fromfile(path.with_suffix(".i16"), dtype=np.int16)
    rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
    return [Item(r["text"], r["voice"], pcm, r["offset"], r["samples"], r["phones"]) for r in rows]


def read_corpus(folder: Path) -> list[Item]:
    return [item for path in sorted((folder / "train").glob("*.jsonl")) for item in read_shard(path)]


def make_training_shards(folder: Path, hours: float, worker: int, workers: int) -> None:
    """Makes every workers-th shard that is not there yet, and says how far it is."""
    target = folder / "train"
    target.mkdir(parents=True, exist_ok=True)
    held_out = frozenset(held_out_lines())
    shard_hours = min(SHARD_HOURS, hours)
    for number in range(worker, int(np.ceil(hours / shard_hours)), workers):
        name = f"{number:04d}"
        if (target / f"{name}.jsonl").exists():
            continue
        began = time.time()
        source, choir, said, seconds = TextSource(number, held_out), Choir(number), [], 0.0
        while seconds < shard_hours * 3600:
            spoken = choir.say([source.line() for _ in range(LINES_AT_ONCE)])
            assert not any(utterance.voice in HELD_OUT for utterance in spoken)
            said += spoken
            seconds += sum(len(utterance.pcm) for utterance in spoken) / RATE
        made = write_shard(target, name, said)
        print(f"corpus: shard {name}, {made:.2f} h of {hours} h in all, {made * 3600 / (time.time() - began):.0f} x real time", flush=True)


#: What a model is judged by: voices that it knows and voices that it does not.
TEST_VOICES = [
    "flite:kal", "flite:kal16", "flite:awb", "flite:rms", "flite:slt", "festival:cmu_us_slt_arctic_hts",
    "espeak:en-us+m3", "espeak:en-us+f2", "espeak:en+f3", "espeak:en-029+m1", "espeak:en-us-nyc+m5",
    *HELD_OUT,
]


def make_test_set(folder: Path, lines_a_voice: int = 60) -> None:
    """The held-out sentences in every test voice: each says 60 of them, a third of the free ones; together all of them."""
    target = folder / "test"
    target.mkdir(parents=True, exist_ok=True)
    lines = held_out_lines()
    written = len(lines) - TEMPLATE_LINES
    choir = Choir(TEST_SEED)
    for i, voice in enumerate(TEST_VOICES):
        name = voice.replace(":", "-").replace("+", "-")
        if (target / f"{name}.jsonl").exists():
            continue
        free = lines_a_voice // 3
        mine = [lines[(i * 17 + k) % written] for k in range(free)]
        mine += [lines[written + (i * 40 + k) % TEMPLATE_LINES] for k in range(lines_a_voice - free)]
        hours = write_shard(target, name, choir.say_as(voice, mine))
        print(f"corpus: test voice {voice}, {hours * 3600:.0f} s", flush=True)
