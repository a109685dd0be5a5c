"""Training: phones first, then CTC with phones beside it. One process a core, gradients averaged; or one GPU.

Two threads in one process train no faster than one; two processes of one thread each took 3.3 h of audio a minute against 1.35
(pilot, two Zen 3 cores). The learning rate follows the share of the time budget that is used up, so a slow machine gets a
worse model and not an unfinished one. A checkpoint is written every few minutes; the same command goes on from it.
"""

import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from .batches import Batch, Batcher, PhoneSet, buckets
from .corpus import Item, read_corpus, read_shard
from .judge import judge
from .network import Recogniser, Shape, parameters_of
from .pieces import Pieces

#: The phone head listens after this block: the later ones are left to spelling.
PHONE_BLOCK = 6
GRADIENT_LIMIT = 2.0
JOINED_ROWS = 0.3
PORT = 29_617


@dataclass(frozen=True)
class Plan:
    work: Path
    minutes: float
    #: minutes of phones alone, at the start
    warm_up_minutes: float
    learning_rate: float
    device: str
    processes: int
    #: seconds of audio a step and process: small batches learn more from as much audio
    batch_seconds: float
    #: a network to begin with, or None
    init: Path | None = None


def run(plan: Plan) -> None:
    """Trains until the budget is used up; writes checkpoint.pt and final.pt into plan.work."""
    if plan.processes == 1:
        _process(0, plan)
    else:
        torch.multiprocessing.spawn(_process, args=(plan,), nprocs=plan.processes)


def _process(rank: int, plan: Plan) -> None:
    torch.set_num_threads(1 if plan.processes > 1 else max(1, os.cpu_count() or 1))
    torch.manual_seed(1)
    if plan.processes > 1:
        dist.init_process_group("gloo", f"tcp://127.0.0.1:{PORT}", rank=rank, world_size=plan.processes)
    Trainer(rank, plan).run()
    if plan.processes > 1:
        dist.destroy_process_group()


class Trainer:
    def __init__(self, rank: int, plan: Plan):
        self.rank, self.plan = rank, plan
        work = plan.work
        self.pieces = Pieces.load(work / "pieces.json")
        self.shape = Shape(vocabulary=len(self.pieces.names))
        self.items = read_corpus(work / "corpus")
        saved = self._saved()
        self.phone_set = PhoneSet(saved["phones"]) if saved else PhoneSet.of(self.items)
        self.model = Recogniser(self.shape).to(plan.device)
        self.head = nn.Linear(self.shape.width, self.phone_set.size).to(plan.device)
        self.parameters = [*self.model.parameters(), *self.head.parameters()]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
        self.average = Recogniser(self.shape).to(plan.device)
        self.elapsed_s, self.steps, self.audio_s, self.loss = 0.0, 0, 0.0, None
        if saved:
            self._resume(saved)
        else:
            if plan.init:
                self.model.load_state_dict(torch.load(plan.init, map_location=plan.device))
            self.average.load_state_dict(self.model.state_dict())
        seed = 1000 * rank + self.steps
        self.chance = np.random.default_rng(seed)
        self.batcher = Batcher(self.shape, self.pieces, self.phone_set, seed + 1)

    def run(self) -> None:
        self._say(f"{parameters_of(self.model) / 1e6:.2f} M parameters, {len(self.items)} utterances, "
                  f"{sum(item.samples for item in self.items) / 8000 / 3600:.1f} h, {self.phone_set.size} phones")
        self.clock, self.saved_s, self.judged = time.time(), self.elapsed_s, -1
        parent = os.getppid()
        while not self._over():
            for groups in buckets(self.items, self.plan.batch_seconds, self.chance, JOINED_ROWS):
                if not self._step(self.batcher.training(groups)):
                    break
                if os.getppid() != parent:
                    raise SystemExit("train: the command that started this process is gone; run it again to go on")
                self._housekeeping()
        self._save("final.pt")

    # -- one step

    @property
    def share(self) -> float:
        """Of the time budget, 0..1."""
        return min(1.0, self.elapsed_s / (60 * self.plan.minutes))

    def _over(self) -> bool:
        return self.share >= 1

    def _rate(self) -> float:
        warm = min(1.0, (self.steps + 1) / 150)
        hold = 0.4
        cosine = 0.5 * (1 + math.cos(math.pi * (self.share - hold) / (1 - hold)))
        return self.plan.learning_rate * warm * (1.0 if self.share < hold else cosine + 0.01)

    def _step(self, batch: Batch) -> bool:
        """@returns False when the budget is used up (all processes agree)"""
        now = time.time()
        self.elapsed_s += now - self.clock
        self.clock = now
        rate = self._rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss = self._loss(batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        over = self._average_gradients()
        if over:
            return False
        norm = nn.utils.clip_grad_norm_(self.parameters, GRADIENT_LIMIT)
        if not torch.isfinite(norm):
            self._say("a batch without a finite gradient is left out")
            return True
        self.optimiser.step()
        self._follow()
        self.steps += 1
        self.audio_s += batch.seconds * self.plan.processes
        value = float(loss.detach())
        self.loss = value if self.loss is None else 0.97 * self.loss + 0.03 * value
        return True

    def _loss(self, batch: Batch) -> torch.Tensor:
        device, model = self.plan.device, self.model
        pcm = batch.pcm.to(device)
        state = model.zero_state(len(pcm), device)
        with torch.no_grad():
            features, _ = model.features(pcm, state)
            features = self._masked(features)
        logs, _, hidden = model.encode(features, state, PHONE_BLOCK)
        phones = batch.phones.to(device)
        phone_loss = F.cross_entropy(self.head(hidden).flatten(0, 1), phones.flatten(), ignore_index=-1)
        if not torch.isfinite(phone_loss):
            phone_loss = torch.zeros((), device=device)
        ctc = F.ctc_loss(
            logs.transpose(0, 1), batch.tokens.to(device), batch.frames.to(device), batch.token_counts.to(device),
            blank=0, reduction="sum", zero_infinity=True,
        ) / batch.token_counts.sum()
        if self.elapsed_s < 60 * self.plan.warm_up_minutes:
            return phone_loss + 0.15 * ctc
        return ctc + 0.3 * phone_loss

    def _masked(self, features: torch.Tensor) -> torch.Tensor:
        """SpecAugment (Park et al. 2019): bands and moments left out, once the network can spell."""
        if self.share < 0.1 and not self.plan.init:
            return features
        rows, frames, _ = features.shape
        mask = torch.ones(rows, frames, self.shape.stack, self.shape.mels)
        for row in range(rows):
            for _ in range(2):
                width = int(self.chance.integers(0, 7))
                low = int(self.chance.integers(0, self.shape.mels - width + 1))
                mask[row, :, :, low : low + width] = 0
            for _ in range(1 + frames // 60):
                length = int(self.chance.integers(0, 3))
                at = int(self.chance.integers(0, max(1, frames - length)))
                mask[row, at : at + length] = 0
        return features * mask.flatten(2).to(features.device)

    def _average_gradients(self) -> bool:
        """@returns whether a process has used up its budget"""
        if self.plan.processes == 1:
            return self._over()
        missing = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self.parameters]
        flat = torch.cat([g.flatten() for g in missing] + [torch.tensor([1.0 if self._over() else 0.0])])
        dist.all_reduce(flat)
        flat /= self.plan.processes
        at = 0
        for p in self.parameters:
            p.grad = flat[at : at + p.numel()].view_as(p).clone()
            at += p.numel()
        return bool(flat[-1] > 0)

    @torch.no_grad()
    def _follow(self) -> None:
        """The average of the weights so far, which is what is judged and shipped (Polyak and Juditsky 1992)."""
        keep = min(0.999, (1 + self.steps) / (20 + self.steps))
        for mine, theirs in zip(self.average.parameters(), self.model.parameters()):
            mine.mul_(keep).add_(theirs, alpha=1 - keep)

    # -- telling and saving

    def _housekeeping(self) -> None:
        if self.steps % 50 == 0:
            hours = self.audio_s / 3600
            self._say(f"{self.elapsed_s / 60:.1f} of {self.plan.minutes:.0f} min, step {self.steps}, loss {self.loss:.3f}, "
                      f"{hours:.1f} h of passes, rate {self._rate():.5f}")
        if self.elapsed_s - self.saved_s > 180 and self.rank == 0:
            self.saved_s = self.elapsed_s
            self._save("checkpoint.pt")
        if int(self.share * 12) > self.judged and self.rank == 0:
            self.judged = int(self.share * 12)
            self._judge()

    def _judge(self) -> None:
        from .voices import HELD_OUT

        tests = [item for path in sorted((self.plan.work / "corpus/test").glob("*.jsonl")) for item in read_shard(path)[::5]]
        batcher = Batcher(self.shape, self.pieces, self.phone_set, 7)
        known = judge(self.average, [item for item in tests if item.voice not in HELD_OUT], batcher, "G.711")
        new = judge(self.average, [item for item in tests if item.voice in HELD_OUT], batcher, "G.711")
        reference, said = known.examples[7]
        self._say(f"judged: WER {known.whole.wer:.3f} in known voices, {new.whole.wer:.3f} in others | {reference} | {said}")

    def _say(self, text: str) -> None:
        if self.rank == 0:
            print(f"train: {text}", flush=True)

    def _save(self, name: str) -> None:
        if self.rank != 0:
            return
        content = {
            "model": self.model.state_dict(), "average": self.average.state_dict(), "head": self.head.state_dict(),
            "optimiser": self.optimiser.state_dict(), "phones": self.phone_set.names, "elapsed_s": self.elapsed_s,
            "steps": self.steps, "audio_s": self.audio_s, "shape": self.shape.as_dict(),
        }
        part = self.plan.work / f"{name}.part"
        torch.save(content, part)
        part.rename(self.plan.work / name)
        facts = {"hoursOfPasses": round(self.audio_s / 3600, 1), "minutes": round(self.elapsed_s / 60), "steps": self.steps}
        (self.plan.work / "training.json").write_text(json.dumps(facts))

    def _saved(self):
        path = self.plan.work / "checkpoint.pt"
        return torch.load(path, map_location=self.plan.device) if path.exists() else None

    def _resume(self, saved) -> None:
        self.model.load_state_dict(saved["model"])
        self.average.load_state_dict(saved["average"])
        self.head.load_state_dict(saved["head"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.elapsed_s, self.steps, self.audio_s = saved["elapsed_s"], saved["steps"], saved["audio_s"]
