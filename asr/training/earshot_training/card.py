"""The model card: what the model was made of, how often it errs, how big it is. Numbers come from runs, none is typed in."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import torch

from .augment import CONDITIONS
from .batches import Batcher, PhoneSet
from .clips import read_clips
from .corpus import HELD_OUT, TEMPLATE_LINES, Item, held_out_lines, read_corpus, read_shard
from .judge import Tally, Verdict, distance, judge
from .network import Recogniser, Shape, parameters_of
from .pieces import Pieces


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def rate_of(verdict: Verdict, wanted) -> float:
    pairs = [(reference.split(), said.split()) for reference, said in verdict.examples if wanted(reference)]
    return sum(distance(*pair) for pair in pairs) / max(1, sum(len(reference) for reference, _ in pairs))


def test_items(work: Path) -> list[Item]:
    return [item for path in sorted((work / "corpus/test").glob("*.jsonl")) for item in read_shard(path)]


def both(greedy: Tally, engine: Verdict | None, voice: str | None = None) -> str:
    """By the best tokens and, where it was judged, by the engine. @param voice of one only"""
    if engine is None:
        return percent(greedy.wer)
    tally = engine.whole if voice is None else engine.by_voice[voice]
    return f"{percent(greedy.wer)} → {percent(tally.wer)}"


def language_lines(facts: dict) -> list[str]:
    return [
        f"Language model (`lm.bin`, {facts['bytes'] / 1e6:.1f} MB): {facts['words']} words, {facts['bigrams']} bigrams and "
        f"{facts['trigrams']} trigrams, pruned by entropy from a mixture: {100 * facts['callShare']:.0f} % of {facts['callLines']} lines "
        f"that the templates made, the rest general English ({100 * facts['proseShare']:.0f} % of it {facts['proseLines']} sentences of "
        "Debian's texts, the others Debian's pocketsphinx-en-us, 2-clause BSD licence, © Carnegie Mellon University and Alpha Cephei "
        "Inc.). No sentence below was drawn for its text.",
    ]


def within_corpus(corpus: list[Item], lines: list[str]) -> set[str]:
    """Which lines are in the corpus' text behind others or between fillers."""
    text = " " + " | ".join(item.text for item in corpus) + " "
    return {line for line in lines if f" {line} " in text}


def write_set(path: Path, items: list[Item], batcher: Batcher, condition: str, rows: int = 20) -> None:
    """What judge() hears, as files that asr/judge.ts reads."""
    sounds, parts, at = [], [], 0
    for first in range(0, len(items), rows):
        batch = batcher.judging(items[first : first + rows], condition)
        for sound, frames in zip(batch.pcm.numpy(), batch.frames.tolist()):
            samples = frames * batcher.shape.frame_samples
            sounds.append(np.clip(np.round(sound[:samples] * 32768), -32768, 32767).astype(np.int16))
            parts.append({"offset": at, "samples": samples})
            at += samples
    np.concatenate(sounds).tofile(path.with_suffix(".i16"))
    path.with_suffix(".json").write_text(json.dumps(parts))


def heard_by_the_engine(folder: Path, work: Path, sets: dict[str, tuple[list[Item], str, int]]) -> dict[str, Verdict]:
    """
    Judges a folder as calls do: by the engine's own channels, with its language model.
    @param sets items, condition and items at once, by name @returns nothing where the pipeline was not started by npm run train
    """
    node = os.environ.get("EARSHOT_NODE")
    if node is None or not (folder / "lm.bin").exists():
        return {}
    place = work / "judge"
    place.mkdir(exist_ok=True)
    shape, pieces = Shape(), Pieces.load(work / "pieces.json")
    for name, (items, condition, rows) in sets.items():
        write_set(place / name, items, Batcher(shape, pieces, PhoneSet([]), 7), condition, rows)
    program = Path(__file__).resolve().parents[2] / "judge.ts"
    command = [node, str(program), str(folder), *(str(place / name) for name in sets)]
    said = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    verdicts = {}
    for name, (items, _, _) in sets.items():
        verdict = verdicts[name] = Verdict()
        for item, text in zip(items, said[str(place / name)]):
            verdict.add(item.voice, item.text, text)
    return verdicts


def write_card(folder: Path, work: Path, models: dict[str, Recogniser], pieces: Pieces, clips: Path | None, sizes: dict[str, int]) -> dict:
    """
    Judges each precision's model and writes folder/README.md.
    @param models by precision, the shipped one first @returns the numbers, as they are also written into judged.json
    """
    shipped = next(iter(models))
    tests = test_items(work)
    known = [item for item in tests if item.voice not in HELD_OUT]
    new = [item for item in tests if item.voice in HELD_OUT]
    verdicts: dict[tuple[str, str], tuple[Verdict, Verdict]] = {}
    for precision, model in models.items():
        for condition in CONDITIONS if precision == shipped else ["G.711"]:
            batchers = [Batcher(model.shape, pieces, PhoneSet([]), 7) for _ in range(2)]
            verdicts[precision, condition] = (
                judge(model, known, batchers[0], condition), judge(model, new, batchers[1], condition),
            )
            print(f"judge: {precision}, {condition}: {[percent(v.whole.wer) for v in verdicts[precision, condition]]}", flush=True)
    real = judge(models[shipped], read_clips(clips), Batcher(models[shipped].shape, pieces, PhoneSet([]), 7), "G.711", 1) if clips else None
    sets: dict[str, tuple[list[Item], str, int]] = {}
    for i, condition in enumerate(CONDITIONS):
        sets[f"known{i}"], sets[f"new{i}"] = (known, condition, 20), (new, condition, 20)
    if clips:
        sets["clips"] = (read_clips(clips), "G.711", 1)
    engine = heard_by_the_engine(folder, work, sets)
    training = json.loads((work / "training.json").read_text())
    corpus = read_corpus(work / "corpus")
    hours = sum(item.samples for item in corpus) / 8000 / 3600
    lines = [
        "# The shipped model: English, 8 kHz telephone speech, streaming CTC",
        "",
        f"Made by `npm run train` (../training). FSMN, {parameters_of(models[shipped]) / 1e6:.2f} M parameters, {shipped}, "
        f"{sizes[shipped] / 1e6:.1f} MB. {training.get('origin', 'Trained from nothing')}: {hours:.1f} h of synthetic speech, "
        f"{training['hoursOfPasses']} h of passes in {training['minutes']} minutes on {training.get('machine', 'a CPU')}. "
        "**It has never heard a person speak for training**: see the last table.",
        "",
        "`signal` int32 [N, 2400, 1] (300 ms of 16-bit PCM) and `state` float16 [N, S] in, `logprobs` float32 [N, T, V] (a frame every "
        "60 ms) and `state_next` out; T-one's layout, bound by order.",
        "",
    ]
    facts = work / "lm.json"
    if facts.exists():
        lines += [*language_lines(json.loads(facts.read_text())), ""]
    lines += [
        "## Word error rates",
        "",
        "Whole sentences, none of them a line of the network's corpus: 50 free ones and 250 of the call templates with words of their own. The first of two "
        "numbers is of the best token of each frame, the second of calls: the engine's beam search with the language model.",
        "",
        f"| condition | known voices | voices never trained on ({', '.join(HELD_OUT)}) |",
        "|---|---|---|",
    ]
    places = {condition: i for i, condition in enumerate(CONDITIONS)}
    for (precision, condition), (of_known, of_new) in verdicts.items():
        name = condition if precision == shipped else f"{condition}, {precision} instead of {shipped}"
        by_engine = [engine.get(f"{which}{places[condition]}") if precision == shipped else None for which in ("known", "new")]
        lines.append(f"| {name} | {both(of_known.whole, by_engine[0])} | {both(of_new.whole, by_engine[1])} |")
    free = set(held_out_lines()[:-TEMPLATE_LINES])
    lines += ["", "The free sentences are the harder ones. Through G.711, words wrong:", "", "| sentences | known voices | new voices |", "|---|---|---|"]
    in_call = places["G.711"]
    for name, wanted in (("free", lambda text: text in free), ("of the templates", lambda text: text not in free)):
        rates = [
            [percent(rate_of(verdict, wanted)) for verdict in (greedy, engine.get(f"{which}{in_call}")) if verdict]
            for greedy, which in zip(verdicts[shipped, "G.711"], ("known", "new"))
        ]
        lines.append(f"| {name} | {' → '.join(rates[0])} | {' → '.join(rates[1])} |")
    lines += ["", "By voice, through G.711:", "", "| voice | word error rate | words |", "|---|---|---|"]
    for verdict, which in zip(verdicts[shipped, "G.711"], ("known", "new")):
        for voice, tally in sorted(verdict.by_voice.items()):
            lines.append(f"| {voice} | {both(tally, engine.get(f'{which}{in_call}'), voice)} | {tally.words} |")
    templates = set(held_out_lines()[-TEMPLATE_LINES:])
    within = within_corpus(corpus, sorted(templates | free))
    if within:
        unheard = [
            percent(rate_of(verdict, lambda text: text in templates - within))
            for verdict in (verdicts[shipped, "G.711"][0], engine.get(f"known{in_call}")) if verdict
        ]
        lines += ["", f"{len(within & templates)} of the {len(templates)} different template sentences, and {len(within & free)} of the free ones, are "
                  "in the network's corpus behind another line or with fillers. Of the other template sentences, in known voices "
                  f"through G.711: {' → '.join(unheard)}."]
    if real:
        lines += ["", f"**Recordings of {len(real.by_voice)} real speakers' clips: {both(real.whole, engine.get('clips'))}** "
                  f"({real.whole.words} words):", "", "| clip | word error rate |", "|---|---|"]
        lines += [f"| {clip} | {both(tally, engine.get('clips'), clip)} |" for clip, tally in sorted(real.by_voice.items())]
    numbers = {
        "wer": {f"{p} · {c}": {"known": round(a.whole.wer, 4), "new": round(b.whole.wer, 4)} for (p, c), (a, b) in verdicts.items()},
        "engine": {name: round(verdict.whole.wer, 4) for name, verdict in engine.items()},
        "real": round(real.whole.wer, 4) if real else None, "hours": round(hours, 1), **training,
    }
    lines += ["", "## What it is not", "",
              "A model of synthetic voices: it hears what synthesisers say, over telephone lines, in English. For people, bring a published "
              "model (docs/models.md). No personal data went into it."]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (work / "judged.json").write_text(json.dumps(numbers, indent=2))
    return numbers
