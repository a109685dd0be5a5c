"""What a telephone line, a room and a crowd make of clean speech. Everything is drawn from one numpy generator.

Sounds are float32 at 8 kHz, -1..1. Order as on the way of a call: speaker, room, microphone, background, line, codec, network.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve, firwin, lfilter

RATE = 8000
BANDS_HZ = [(250, 3500), (300, 3400), (350, 3300), (200, 3600), (100, 3800), (400, 3000)]
BANDS = [firwin(101, band, fs=RATE, pass_zero=False).astype(np.float32) for band in BANDS_HZ]
PACKET = 160
#: Share of training lines that are as most calls are: a clean line through G.711.
GOOD_LINES = 0.45

#: What a model is judged under, as the card calls it.
CONDITIONS = {
    "clean": "wideband", "G.711": "g711", "G.711, noise at 15 dB": "g711_noise", "G.711, room": "g711_room",
    "G.711, 3 % of packets lost": "g711_loss", "A-law and mu-law in tandem, 400 to 3000 Hz": "a_law_tandem",
}


@dataclass
class Line:
    """A sound with what happened to its clock: seconds of the clean utterance = (seconds - lead_s) * speed."""

    pcm: np.ndarray
    lead_s: float
    speed: float


def mu_law(x: np.ndarray) -> np.ndarray:
    """Through G.711 mu-law and back (ITU-T G.711), 8 bits, by its companding curve."""
    coded = np.round(np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256) * 127) / 127
    return np.sign(coded) * (np.power(256.0, np.abs(coded)) - 1) / 255


def a_law(x: np.ndarray) -> np.ndarray:
    """Through G.711 A-law and back, by its companding curve."""
    a, size = 87.6, np.abs(x)
    curve = np.where(size < 1 / a, a * size, 1 + np.log(np.maximum(a * size, 1e-9))) / (1 + np.log(a))
    coded = np.round(curve * 127) / 127
    linear = np.where(coded < 1 / (1 + np.log(a)), coded * (1 + np.log(a)) / a, np.exp(coded * (1 + np.log(a)) - 1) / a)
    return np.sign(x) * linear


class Telephone:
    """Draws lines."""

    def __init__(self, seed: int):
        self.chance = np.random.default_rng(seed)

    def line(self, clean: np.ndarray, tail_s: float, others: list[np.ndarray]) -> Line:
        """
        A line for training: good ones and bad ones.
        @param tail_s silence after the speech @param others other people's speech, for babble
        """
        r = self.chance
        x, speed = clean, 1.0
        if r.random() < 0.35:
            speed = float(r.uniform(0.88, 1.14))
            x = np.interp(np.arange(int(len(x) / speed)) * speed, np.arange(len(x)), x).astype(np.float32)
        lead = int(r.integers(0, 2400))
        x = np.concatenate([np.zeros(lead, np.float32), x, np.zeros(int(tail_s * RATE), np.float32)])
        if r.random() < GOOD_LINES:
            x = lfilter([1, r.uniform(-0.5, 0.5)], [1], x)
            x = x / (np.abs(x).max() + 1e-6) * 10 ** (r.uniform(-20, -2) / 20)
            x = self.noisy(x, self.coloured(len(x)), r.uniform(20, 45))
            x = fftconvolve(x, BANDS[r.integers(len(BANDS))], mode="same")
            coded = mu_law(np.clip(x, -1, 1)) if r.random() < 0.7 else a_law(np.clip(x, -1, 1))
            return Line(coded.astype(np.float32), lead / RATE, speed)
        if r.random() < 0.35:
            x = self.room(x)
        if r.random() < 0.5:
            x = lfilter([1, r.uniform(-0.7, 0.7)], [1], x)
        x = x / (np.abs(x).max() + 1e-6) * 10 ** (r.uniform(-28, -1) / 20)
        draw = r.random()
        if draw < 0.65:
            x = self.noisy(x, self.coloured(len(x)), r.uniform(6, 40))
        elif draw < 0.80 and others:
            x = self.noisy(x, self.babble(others, len(x)), r.uniform(10, 30))
        elif draw < 0.84:
            x = self.noisy(x, self.music(len(x)), r.uniform(12, 30))
        if r.random() < 0.75:
            x = fftconvolve(x, BANDS[r.integers(len(BANDS))], mode="same")
        if r.random() < 0.06:
            limit = r.uniform(0.3, 0.8) * np.abs(x).max()
            x = np.clip(x, -limit, limit)
        x = self.codec(np.clip(x, -1, 1))
        if r.random() < 0.2:
            x = self.loss(x)
        return Line(x.astype(np.float32), lead / RATE, speed)

    def condition(self, clean: np.ndarray, tail_s: float, name: str) -> Line:
        """For judging: one of CONDITIONS, 100 ms of silence before the speech. @raises KeyError for another name"""
        x = np.concatenate([np.zeros(800, np.float32), clean, np.zeros(int(tail_s * RATE), np.float32)])
        x = getattr(self, f"_{CONDITIONS[name]}")(x)
        return Line(x.astype(np.float32), 0.1, 1.0)

    def _wideband(self, x: np.ndarray) -> np.ndarray:
        return x + self.chance.standard_normal(len(x)) * 1e-4

    def _g711(self, x: np.ndarray) -> np.ndarray:
        return mu_law(np.clip(fftconvolve(self._wideband(x), BANDS[1], mode="same"), -1, 1))

    def _g711_noise(self, x: np.ndarray) -> np.ndarray:
        return self._g711(self.noisy(x, self.coloured(len(x)), 15))

    def _g711_room(self, x: np.ndarray) -> np.ndarray:
        return self._g711(self.room(x))

    def _g711_loss(self, x: np.ndarray) -> np.ndarray:
        y = self._g711(x)
        for at in np.nonzero(self.chance.random(len(y) // PACKET) < 0.03)[0]:
            y[at * PACKET : (at + 1) * PACKET] = 0
        return y

    def _a_law_tandem(self, x: np.ndarray) -> np.ndarray:
        return mu_law(np.clip(fftconvolve(a_law(np.clip(self._wideband(x), -1, 1)), BANDS[5], mode="same"), -1, 1))

    def room(self, x: np.ndarray) -> np.ndarray:
        """A short decaying tail, 12 to 120 ms."""
        r = self.chance
        length = int(r.integers(100, 1000))
        echo = r.standard_normal(length) * np.exp(-np.arange(length) / r.uniform(40, 300)) * r.uniform(0.04, 0.3)
        echo[0] = 1
        return fftconvolve(x, echo.astype(np.float32))[: len(x)]

    def coloured(self, n: int) -> np.ndarray:
        white = self.chance.standard_normal(n).astype(np.float32)
        return lfilter([1.0], [1, -self.chance.uniform(0, 0.97)], white)

    def babble(self, others: list[np.ndarray], n: int) -> np.ndarray:
        mixed = np.zeros(n, np.float32)
        for _ in range(int(self.chance.integers(1, 5))):
            other = others[self.chance.integers(len(others))]
            mixed += np.resize(np.roll(other, self.chance.integers(len(other))), n)
        return mixed

    def music(self, n: int) -> np.ndarray:
        """Hold music from another line: chords of a few partials that change every half second or so."""
        r, t, out = self.chance, np.arange(n) / RATE, np.zeros(n, np.float32)
        at = 0
        while at < n:
            length = int(r.uniform(0.3, 1.0) * RATE)
            part = slice(at, min(n, at + length))
            for semitone in r.choice(24, size=3, replace=False):
                pitch = 130.8 * 2 ** (semitone / 12)
                for overtone in (1, 2, 3):
                    out[part] += np.sin(2 * np.pi * pitch * overtone * t[part]) / overtone**1.5
            at += length
        return out

    def noisy(self, x: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
        level = np.sqrt(np.mean(x * x)) / (np.sqrt(np.mean(noise * noise)) + 1e-9)
        return x + noise * level * 10 ** (-snr_db / 20)

    def codec(self, x: np.ndarray) -> np.ndarray:
        """mu-law, A-law, linear, or two of them one after the other with a coarser middle (a mobile leg, a tandem)."""
        draw = self.chance.random()
        if draw < 0.5:
            return mu_law(x)
        if draw < 0.75:
            return a_law(x)
        if draw < 0.9:
            steps = 2 ** self.chance.integers(4, 7)
            middle = np.sign(x) * np.expm1(np.round(np.log1p(255 * np.abs(x)) / np.log(256) * steps) / steps * np.log(256)) / 255
            return mu_law(np.clip(fftconvolve(middle, BANDS[1], mode="same"), -1, 1))
        return x

    def loss(self, x: np.ndarray) -> np.ndarray:
        """Packets of 20 ms lost: silence, or the last packet fading, as Earshot's own concealment does it."""
        r, y = self.chance, x.copy()
        for _ in range(int(r.integers(1, 5))):
            at = int(r.integers(PACKET, max(PACKET + 1, len(y) - 4 * PACKET)))
            for k in range(int(r.integers(1, 4))):
                gone = slice(at + k * PACKET, at + (k + 1) * PACKET)
                before = y[at - PACKET : at]
                if len(y[gone]) < PACKET or len(before) < PACKET:
                    break
                y[gone] = before * 0.5 ** (k + 1) if r.random() < 0.5 else 0
        return y
