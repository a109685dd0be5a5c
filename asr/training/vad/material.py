"""What a channel sounds like: people who speak and pause, hold music, tones, noise; each frame with its label."""

from dataclasses import dataclass

import numpy as np
from earshot_training.augment import BANDS, Telephone, a_law, mu_law
from earshot_training.corpus import Item
from scipy.signal import fftconvolve, lfilter

from .features import FRAME
from .sounds import RATE, Sounds

FRAMES = 600
#: A pause within a sentence that is shorter is speech.
SHORTEST_PAUSE_S = 0.2
#: The gate opens 300 ms before a frame of speech and closes 600 ms after it: late is early enough, and a label may wait.
LATE_FRAMES, LINGER_FRAMES = 5, 8
SILENT_PHONES = {"pau", "_:", "_", "", "ssil", "h#"}


@dataclass
class Channel:
    #: 16-bit values after the codec, as whole numbers
    pcm: np.ndarray
    #: frames: 0 none, 1 speech
    speech: np.ndarray
    #: frames: 0 where either answer does
    weight: np.ndarray


def speech_spans(item: Item) -> list[tuple[float, float]]:
    """Where an utterance sounds, in seconds."""
    spans: list[list[float]] = []
    start = 0.0
    for phone, end in item.phones or []:
        if phone not in SILENT_PHONES:
            if spans and start - spans[-1][1] < SHORTEST_PAUSE_S:
                spans[-1][1] = end
            else:
                spans.append([start, end])
        start = end
    return [(a, b) for a, b in spans]


class Channels:
    """Draws channels of FRAMES frames."""

    def __init__(self, items: list[Item], seed: int):
        self.chance = np.random.default_rng(seed)
        self.items = [item for item in items if item.phones]
        self.sounds = Sounds(self.chance)
        self.telephone = Telephone(seed)

    def draw(self) -> Channel:
        r, n = self.chance, FRAMES * FRAME
        pcm, speech, unsure = np.zeros(n, np.float32), np.zeros(n, bool), np.zeros(n, bool)
        at = 0
        while at < n:
            # A call changes: music, then a person; a person, then ringing.
            length = n - at if r.random() < 0.5 else min(n - at, int(r.uniform(2, 9) * RATE))
            part = slice(at, at + length)
            if r.random() < 0.6:
                pcm[part], speech[part], unsure[part] = self.person(length)
            else:
                pcm[part] = self.other(length)
            at += length
        if r.random() < 0.6:
            pcm += self.sounds.noise(n) * 10 ** (r.uniform(-80, -52) / 20)
        if r.random() < 0.75:
            pcm = fftconvolve(pcm, BANDS[r.integers(len(BANDS))], mode="same")
        pcm = np.clip(pcm, -1, 1)
        draw = r.random()
        pcm = mu_law(pcm) if draw < 0.6 else a_law(pcm) if draw < 0.9 else pcm
        if r.random() < 0.1:
            pcm = self.telephone.loss(pcm)
        return Channel(np.round(pcm * 32767).astype(np.float64), *labels(speech, unsure))

    def utterance(self) -> tuple[np.ndarray, list[tuple[float, float]]]:
        item = self.items[self.chance.integers(len(self.items))]
        return item.pcm(), speech_spans(item)

    def person(self, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Somebody who speaks and pauses, and what is behind them."""
        r = self.chance
        x, speech, unsure = np.zeros(n, np.float32), np.zeros(n, bool), np.zeros(n, bool)
        at = int(r.uniform(-1, 2) * RATE)
        while at < n:
            pcm, spans = self.utterance()
            if r.random() < 0.3 and spans:
                # A word by itself, as an answer is.
                first, _ = spans[0]
                spans = [(first, first + r.uniform(0.15, 0.6))]
                cut = int(spans[0][1] * RATE)
                pcm = pcm[:cut] * np.minimum(1, np.arange(len(pcm[:cut]))[::-1] / 160)
            first, last = max(0, at), min(n, at + len(pcm))
            if last > first:
                x[first:last] += pcm[first - at : last - at]
            for a, b in spans:
                speech[max(0, at + int(a * RATE)) : max(0, at + int(b * RATE))] = True
            at += len(pcm) + int(r.choice([r.uniform(0, 0.6), r.uniform(0.5, 4)]) * RATE)
        x = lfilter([1, r.uniform(-0.6, 0.6)], [1], x)
        if r.random() < 0.3:
            x = self.telephone.room(x)
        x = x / (np.abs(x).max() + 1e-6) * 10 ** (r.uniform(-32, -1) / 20)
        draw = r.random()
        if draw < 0.45:
            x = self.over(x, speech, self.sounds.noise(n), r.uniform(-2, 30))
        elif draw < 0.57:
            x = self.over(x, speech, self.crowd(n, int(r.integers(4, 10))), r.uniform(5, 25))
        elif draw < 0.63:
            x = self.over(x, speech, self.crowd(n, int(r.integers(1, 4))), r.uniform(12, 30))
            unsure |= ~speech
        elif draw < 0.8:
            x = self.over(x, speech, self.sounds.music(n), r.uniform(1, 25))
        return x, speech, unsure

    def over(self, x: np.ndarray, speech: np.ndarray, other: np.ndarray, snr_db: float) -> np.ndarray:
        own = np.sqrt(np.mean(x[speech] ** 2)) if speech.any() else 10 ** (-30 / 20)
        return x + other * own / (np.sqrt(np.mean(other * other)) + 1e-9) * 10 ** (-snr_db / 20)

    def crowd(self, n: int, people: int) -> np.ndarray:
        mixed = np.zeros(n, np.float32)
        for _ in range(people):
            voice = np.concatenate([self.utterance()[0] for _ in range(3)])
            mixed += np.resize(np.roll(voice, self.chance.integers(len(voice))), n) * self.chance.uniform(0.5, 1)
        return mixed

    def other(self, n: int) -> np.ndarray:
        """No speech."""
        r, draw = self.chance, self.chance.random()
        if draw < 0.42:
            x = self.sounds.music(n)
        elif draw < 0.62:
            x = self.sounds.tones(n)
        elif draw < 0.88:
            x = self.sounds.noise(n)
        else:
            x = self.crowd(n, int(r.integers(5, 12)))
        level = r.uniform(-45, -8) if draw < 0.62 else r.uniform(-55, -18)
        return x / (np.sqrt(np.mean(x * x)) + 1e-6) * 10 ** (level / 20)


def labels(speech: np.ndarray, unsure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of samples to those of frames."""
    spoken = speech.reshape(-1, FRAME).mean(1) >= 0.5
    weight = (~unsure.reshape(-1, FRAME).any(1)).astype(np.float32)
    edges = np.nonzero(np.diff(spoken.astype(int)))[0] + 1
    for edge in edges:
        weight[max(0, edge - 1) : edge + (LATE_FRAMES if spoken[edge] else LINGER_FRAMES)] = 0
    return spoken.astype(np.float32), weight
