"""The model card: what the model was made of, how often it errs, how big it is. Numbers come from runs, none is typed in."""

import json
from pathlib import Path

import torch

from .augment import CONDITIONS
from .batches import Batcher, PhoneSet
from .clips import read_clips
from .corpus import HELD_OUT, TEMPLATE_LINES, Item, held_out_lines, read_corpus, read_shard
from .judge import Verdict, distance, judge
from .network import Recogniser, parameters_of
from .pieces import Pieces


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def rate_of(verdict: Verdict, wanted) -> float:
    pairs = [(reference.split(), said.split()) for reference, said in verdict.examples if wanted(reference)]
    return sum(distance(*pair) for pair in pairs) / max(1, sum(len(reference) for reference, _ in pairs))


def test_items(work: Path) -> list[Item]:
    return [item for path in sorted((work / "corpus/test").glob("*.jsonl")) for item in read_shard(path)]


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
    training = json.loads((work / "training.json").read_text())
    hours = sum(item.samples for item in read_corpus(work / "corpus")) / 8000 / 3600
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
        "## Word error rates",
        "",
        "Greedy, whole sentences, none of them trained on: 50 free ones and 250 of the call templates with words of their own.",
        "",
        f"| condition | known voices | voices never trained on ({', '.join(HELD_OUT)}) |",
        "|---|---|---|",
    ]
    for (precision, condition), (of_known, of_new) in verdicts.items():
        name = condition if precision == shipped else f"{condition}, {precision} instead of {shipped}"
        lines.append(f"| {name} | {percent(of_known.whole.wer)} | {percent(of_new.whole.wer)} |")
    free = set(held_out_lines()[:-TEMPLATE_LINES])
    of_known = verdicts[shipped, "G.711"][0]
    lines += ["", "The free sentences are the harder ones. Through G.711, in known voices: "
              f"{percent(rate_of(of_known, lambda text: text in free))} of their words are wrong, and "
              f"{percent(rate_of(of_known, lambda text: text not in free))} of the templates'."]
    lines += ["", "By voice, through G.711:", "", "| voice | word error rate | words |", "|---|---|---|"]
    for verdict in verdicts[shipped, "G.711"]:
        lines += [f"| {voice} | {percent(tally.wer)} | {tally.words} |" for voice, tally in sorted(verdict.by_voice.items())]
    if real:
        lines += ["", f"**Recordings of {len(real.by_voice)} real speakers' clips: {percent(real.whole.wer)}** ({real.whole.words} words):", "",
                  "| clip | word error rate |", "|---|---|"]
        lines += [f"| {clip} | {percent(tally.wer)} |" for clip, tally in sorted(real.by_voice.items())]
    numbers = {
        "wer": {f"{p} · {c}": {"known": round(a.whole.wer, 4), "new": round(b.whole.wer, 4)} for (p, c), (a, b) in verdicts.items()},
        "real": round(real.whole.wer, 4) if real else None, "hours": round(hours, 1), **training,
    }
    lines += ["", "## What it is not", "",
              "A model of synthetic voices: it hears what synthesisers say, over telephone lines, in English. For people, bring a published "
              "model (docs/models.md). No personal data went into it."]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (work / "judged.json").write_text(json.dumps(numbers, indent=2))
    return numbers
