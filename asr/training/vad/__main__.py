"""`python3 -m vad` in asr/training: from a corpus of speech to contracts/src/vad-weights.ts."""

import argparse
from pathlib import Path

import torch
from earshot_training.corpus import read_corpus, read_shard

from .export import write
from .network import Detector
from .pool import draw
from .train import decide, judge, logits_of, train

#: Not heard in training: the voices of `npm run bench -- vad`, and whoever speaks with the same mouth.
LEFT_OUT = {"flite:slt", "flite:rms", "festival:cmu_us_slt_arctic_hts"}
#: Thresholds are chosen by these, which are neither in training nor in the benchmark.
CHOOSING = ["festival-ked_diphone", "espeak-en-gb-scotland"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m vad")
    parser.add_argument("--corpus", type=Path, default=Path("../../data/training/corpus"), help="what `npm run train -- --stage corpus` made")
    parser.add_argument("--work", type=Path, default=Path("../../data/training/vad"), help="folder of the drawn channels and the checkpoint")
    parser.add_argument("--out", type=Path, default=Path("../../contracts/src/vad-weights.ts"))
    parser.add_argument("--channels", type=int, default=2000, help="of 12 s each (2000)")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--threshold", type=float, default=-4.0, help="below it the network is sure that there is no speech")
    parser.add_argument("--go-on", action="store_true", help="from the checkpoint, not from chance")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    train_path = options.work / "train.npz"
    items = [] if train_path.exists() else [item for item in read_corpus(options.corpus) if item.voice not in LEFT_OUT]
    pool = draw(items, options.channels, 1000, train_path)
    others = [item for name in CHOOSING for item in read_shard(options.corpus / "test" / f"{name}.jsonl")]
    choosing = draw(others, 300, 77_000, options.work / "choosing.npz")
    checkpoint = options.work / "detector.pt"
    if options.minutes > 0:
        init = torch.load(checkpoint) if options.go_on else None
        torch.save(train(pool, options.minutes, init).state_dict(), checkpoint)
    model = Detector()
    model.load_state_dict(torch.load(checkpoint))
    logits = logits_of(model, choosing)
    print("energy", judge(choosing.energy, choosing))
    for threshold in (-5, -4, -3.5, -3, -2.5, -2, -1.5, -1, 0):
        print(threshold, judge(decide(logits, choosing, threshold), choosing))
    write(options.out, model, options.threshold)


if __name__ == "__main__":
    main()
