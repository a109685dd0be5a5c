"""`npm run train`: everything from text to a model folder. Each stage goes on where a broken-off run left it."""

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

MISSING = (
    "Debian packages are missing. As root: apt-get install python3-torch python3-onnx python3-scipy libopenblas0-pthread "
    "espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts festlex-cmu wamerican-small fortunes anarchism "
    "pocketsphinx-en-us sox"
)
STAGES = ["corpus", "pieces", "lm", "train", "export"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="npm run train --", description="Trains the shipped speech recogniser.")
    parser.add_argument("--work", type=Path, default=Path("data/training"), help="folder of corpus and checkpoints (data/training)")
    parser.add_argument("--out", type=Path, default=Path("data/training/model"), help="the model's folder (data/training/model)")
    parser.add_argument("--hours", type=float, default=60, help="hours of speech to synthesise (60)")
    parser.add_argument("--minutes", type=float, default=600, help="time to train for; the learning rate is planned over it (600)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    parser.add_argument("--processes", type=int, default=max(1, os.cpu_count() or 1), help="processes for corpus and training (all cores)")
    parser.add_argument("--init", type=Path, help="a model folder of this pipeline to begin with, instead of chance: asr/model goes on from the shipped one")
    parser.add_argument("--clips", type=Path, help="recordings of people with SOURCES.txt, to judge by")
    parser.add_argument("--test-lines", type=int, default=60, help="sentences that each test voice says (60)")
    parser.add_argument("--lm-lines", type=int, default=300_000, help="lines of calls that the language model is made of (300000)")
    parser.add_argument("--stage", choices=STAGES, action="append", help="only this stage (may be given more than once)")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    try:
        import onnx  # noqa: F401
        import scipy  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        print(f"train: {error}. {MISSING}", file=sys.stderr)
        return 1
    needed = [name for name in ("flite", "festival", "sox") if shutil.which(name) is None]
    if needed:
        print(f"train: {', '.join(needed)} not found. {MISSING}", file=sys.stderr)
        return 1
    options.work.mkdir(parents=True, exist_ok=True)
    for stage in options.stage or STAGES:
        print(f"train: stage {stage}", flush=True)
        globals()[f"stage_{stage}"](options)
    return 0


def stage_corpus(options) -> None:
    from .corpus import make_test_set, make_training_shards

    make_test_set(options.work / "corpus", options.test_lines)
    workers = [
        multiprocessing.Process(target=make_training_shards, args=(options.work / "corpus", options.hours, i, options.processes))
        for i in range(options.processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("train: synthesis failed, see above; the same command goes on from here")


def stage_pieces(options) -> None:
    from .corpus import read_corpus
    from .pieces import Pieces, learn
    from .text import pronounceable_words

    path = options.work / "pieces.json"
    if options.init:
        Pieces.from_tokens(options.init / "tokens.txt").save(path)
    elif not path.exists():
        texts = [item.text for item in read_corpus(options.work / "corpus")]
        Pieces(learn(texts, pronounceable_words()[::8], 192)).save(path)


def stage_lm(options) -> None:
    from .lm import GENERAL, make_language_model

    path = options.work / "lm.bin"
    if path.exists():
        return
    if not GENERAL.exists():
        raise SystemExit(f"train: {GENERAL} not found. {MISSING}")
    make_language_model(path, options.lm_lines)
    print(f"lm: {path.stat().st_size / 1e6:.1f} MB", flush=True)


def stage_train(options) -> None:
    import torch

    from .network import Shape
    from .pieces import Pieces
    from .train import Plan, run
    from .weights import from_onnx

    init = None
    if options.init:
        init = options.work / "init.pt"
        shape = Shape(vocabulary=len(Pieces.load(options.work / "pieces.json").names))
        torch.save(from_onnx(options.init / "model.onnx", shape), init)
    on_gpu = options.device != "cpu"
    run(Plan(
        work=options.work,
        minutes=options.minutes,
        warm_up_minutes=0 if init else options.minutes / 12,
        learning_rate=1.2e-3 if init else 1.5e-3,
        device=options.device,
        processes=1 if on_gpu else options.processes,
        batch_seconds=600 if on_gpu else 40,
        init=init,
    ))
    facts = json.loads((options.work / "training.json").read_text())
    facts["origin"] = f"Weights to begin with from {options.init.name}" if options.init else "Trained from nothing"
    facts["machine"] = f"{options.processes} cores ({cpu_name()})" if not on_gpu else torch.cuda.get_device_name()
    (options.work / "training.json").write_text(json.dumps(facts))


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def stage_export(options) -> None:
    import torch

    from .batches import Batcher, PhoneSet
    from .card import write_card
    from .corpus import read_corpus
    from .export import export, input_ranges, quantise, rounded
    from .lm import WEIGHTS
    from .network import Recogniser, Shape
    from .pieces import Pieces

    torch.set_num_threads(max(1, options.processes))
    pieces = Pieces.load(options.work / "pieces.json")
    final = options.work / "final.pt"
    saved = torch.load(final if final.exists() else options.work / "checkpoint.pt", map_location="cpu")
    model = Recogniser(Shape(**saved["shape"]))
    model.load_state_dict(saved["average"])
    batcher = Batcher(model.shape, pieces, PhoneSet([]), 11)
    items = read_corpus(options.work / "corpus")[::97][:400]
    sounds = [batcher.training([[item] for item in items[at : at + 20]]).pcm for at in range(0, len(items), 20)]
    ranges = input_ranges(model, sounds)
    options.out.mkdir(parents=True, exist_ok=True)
    full = options.work / "model.fp32.onnx"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    export(model, full, {"made_by": f"earshot asr/training {commit}"})
    quantise(full, options.out / "model.onnx", ranges)
    pieces.save_tokens(options.out / "tokens.txt")
    settings = {
        "name": options.out.resolve().name if options.out.name != "model" else "earshot-en-8k",
        "format": "t-one", "sampleRate": 8000, "chunkMs": 300, "frameMs": 1000 * model.shape.frame_samples // 8000,
        "stateDim": model.shape.state_values, "vocabulary": len(pieces.names), "blank": 0, "flushMs": 420,
    }
    if (options.work / "lm.bin").exists():
        shutil.copyfile(options.work / "lm.bin", options.out / "lm.bin")
        shutil.copyfile(Path(__file__).with_name("lm-NOTICE.txt"), options.out / "lm-NOTICE.txt")
        settings["languageModel"] = {"file": "lm.bin", **WEIGHTS}
    (options.out / "model.json").write_text(json.dumps(settings, indent=2) + "\n")
    write_card(
        options.out, options.work, {"int8": rounded(model, ranges), "fp32": model}, pieces, options.clips,
        {"int8": (options.out / "model.onnx").stat().st_size, "fp32": full.stat().st_size},
    )
    print(f"train: {options.out} is ready; word times and confidence are set by node asr/word-times.ts and asr/calibrate.ts", flush=True)


if __name__ == "__main__":
    sys.exit(main())
