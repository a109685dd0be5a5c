"""Sounds that are no speech: music, noise, tones of the network. Each is float32 at 8 kHz, of any level."""

import numpy as np
from scipy.signal import lfilter

RATE = 8000
#: ITU-T Q.23.
KEYS_LOW, KEYS_HIGH = [697, 770, 852, 941], [1209, 1336, 1477, 1633]


class Sounds:
    """Draws them from one numpy generator."""

    def __init__(self, chance: np.random.Generator):
        self.chance = chance

    def music(self, n: int) -> np.ndarray:
        """One to three instruments and perhaps drums, in a tempo and a scale of their own."""
        r, out = self.chance, np.zeros(n, np.float32)
        beat = r.uniform(0.16, 0.7)
        scale = np.array([[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10], [0, 2, 4, 7, 9, 12, 14]][r.integers(3)])
        for _ in range(int(r.integers(1, 4))):
            self._part(out, beat, scale, r.uniform(0.2, 1.0))
        if r.random() < 0.4:
            self._drums(out, beat * [0.5, 1][r.integers(2)], r.uniform(0.1, 1.0) * (np.abs(out).max() + 0.1))
        if r.random() < 0.3:
            out = self._echo(out)
        return out

    def _part(self, out: np.ndarray, beat: float, scale: np.ndarray, level: float) -> None:
        r, n = self.chance, len(out)
        instrument = Instrument(r)
        base = 55 * 2 ** (r.integers(0, 30) / 12)
        voices = int(r.choice([1, 1, 1, 3, 4]))
        lengths = r.choice([0.5, 1, 1, 2, 4, 8], size=2)
        rest, overlap = r.choice([0, 0, 0.1, 0.3]), r.uniform(0.8, 1.6)
        at = -int(r.uniform(0, 2) * RATE)
        while at < n:
            seconds = float(r.choice(lengths)) * beat
            if r.random() >= rest:
                root = r.integers(len(scale))
                for voice in range(voices):
                    tone = scale[(root + 2 * voice) % len(scale)] + 12 * ((root + 2 * voice) // len(scale)) + 12 * int(r.random() < 0.1)
                    note = instrument.note(base * 2 ** (tone / 12), min(6.0, seconds * overlap))
                    first, last = max(0, at), min(n, at + len(note))
                    if last > first:
                        out[first:last] += level / voices**0.5 * note[first - at : last - at]
            at += max(400, int(seconds * RATE))

    def _drums(self, out: np.ndarray, beat: float, level: float) -> None:
        r = self.chance
        hits = [self._hit() * g for g in (1.0, r.uniform(0.3, 1), r.uniform(0.1, 0.5))]
        pattern = [(0, 2), (2,), (1, 2), (2,)] if r.random() < 0.6 else [tuple(np.nonzero(r.random(3) < 0.4)[0]) for _ in range(8)]
        for step in range(int(len(out) / (beat * RATE)) + 1):
            at = int(step * beat * RATE)
            for which in pattern[step % len(pattern)]:
                part = hits[which][: len(out) - at]
                out[at : at + len(part)] += level * part

    def _hit(self) -> np.ndarray:
        r, t = self.chance, np.arange(2400) / RATE
        body = np.sin(2 * np.pi * (r.uniform(40, 300) * t + r.uniform(0, 5) * (1 - np.exp(-40 * t))))
        rattle = lfilter([1, -r.uniform(-0.9, 0.95)], [1], r.standard_normal(len(t)))
        mix = r.random()
        return ((mix * body + (1 - mix) * rattle) * np.exp(-t * r.uniform(12, 60))).astype(np.float32)

    def _echo(self, x: np.ndarray) -> np.ndarray:
        y = x.copy()
        for _ in range(12):
            delay = int(self.chance.integers(200, 4000))
            y[delay:] += self.chance.normal() * 0.3 * np.exp(-delay / 1500) * x[:-delay]
        return y

    def noise(self, n: int) -> np.ndarray:
        """Steady, swelling, beating, humming or clattering."""
        r = self.chance
        x = lfilter([1.0], [1, -r.uniform(-0.3, 0.99)], r.standard_normal(n))
        if r.random() < 0.3:
            pole, angle = r.uniform(0.8, 0.98), 2 * np.pi * r.uniform(100, 3000) / RATE
            x = lfilter([1.0], [1, -2 * pole * np.cos(angle), pole * pole], x)
        if r.random() < 0.35:
            # Rooms and engines: dull, by one or two poles.
            for _ in range(int(r.integers(1, 3))):
                pole = np.exp(-2 * np.pi * 10 ** r.uniform(1.7, 3.1) / RATE)
                x = lfilter([1 - pole], [1, -pole], x)
        x /= np.sqrt(np.mean(x * x)) + 1e-9
        t = np.arange(n) / RATE
        if r.random() < 0.35:
            points = r.uniform(-20, 0, size=int(n / RATE / r.uniform(0.3, 2)) + 2)
            x = x * 10 ** (np.interp(np.linspace(0, len(points) - 1, n), np.arange(len(points)), points) / 20)
        if r.random() < 0.25:
            x = x * (1 + r.uniform(0.1, 0.9) * np.sin(2 * np.pi * r.uniform(2, 30) * t))
        if r.random() < 0.3:
            hum = r.choice([50, 60, r.uniform(30, 400)])
            for k in range(1, int(r.integers(2, 8))):
                x = x + r.uniform(0, 0.5) * np.sin(2 * np.pi * hum * k * t + k)
        if r.random() < 0.25:
            x = 0.2 * x + self.clatter(n)
        return x.astype(np.float32)

    def clatter(self, n: int) -> np.ndarray:
        """Keys, steps, dishes: short bursts at odd times."""
        r, out, at = self.chance, np.zeros(n, np.float32), 0
        gap, bright = r.uniform(0.05, 0.8), r.uniform(-0.9, 0.9)
        while at < n:
            length = int(r.integers(80, 1200))
            burst = lfilter([1, bright], [1], r.standard_normal(length)) * np.exp(-np.arange(length) / r.uniform(8, 250))
            if r.random() < 0.3:
                burst = burst + r.uniform(0, 2) * np.sin(2 * np.pi * r.uniform(300, 3000) * np.arange(length) / RATE) * np.exp(-np.arange(length) / 200)
            part = burst[: n - at]
            out[at : at + len(part)] += r.uniform(0.3, 3) * part
            at += int(RATE * r.exponential(gap)) + 80
        return out

    def tones(self, n: int) -> np.ndarray:
        """Ringing, busy, dialling, keys, fax: one or two tones on and off, as hundreds of networks do it."""
        r, out = self.chance, np.zeros(n, np.float32)
        t = np.arange(n) / RATE
        if r.random() < 0.4:
            at, keys, gap = 0, r.random() < 0.6, r.uniform(0.05, 0.8)
            while at < n:
                length = int(r.uniform(0.05, 0.3) * RATE)
                part = slice(at, min(n, at + length))
                low, high = (r.choice(KEYS_LOW), r.choice(KEYS_HIGH)) if keys else (r.uniform(300, 1000), r.uniform(400, 1700))
                out[part] = np.sin(2 * np.pi * low * t[part]) + np.sin(2 * np.pi * high * t[part])
                at += length + int(r.uniform(0.04, gap) * RATE)
        else:
            tones = r.uniform(300, 2200, size=int(r.integers(1, 4)))
            if r.random() < 0.5:
                # ITU-T E.180: most networks are about here.
                tones = r.choice([350, 400, 425, 440, 450, 480, 620, 1100, 1400, 2100], size=int(r.integers(1, 3)))
            on, off = r.uniform(0.1, 2.5), r.choice([0, r.uniform(0.1, 0.6), r.uniform(0.5, 4)])
            sound = sum(np.sin(2 * np.pi * f * t) for f in tones)
            if r.random() < 0.2:
                sound = sound * (1 + 0.9 * np.sin(2 * np.pi * r.uniform(10, 50) * t))
            out = (sound * ((t + r.uniform(0, 3)) % (on + off) < on)).astype(np.float32)
        return out


class Instrument:
    """Partials with an envelope, plucked strings, or bells by frequency modulation."""

    def __init__(self, chance: np.random.Generator):
        self.chance = r = chance
        self.kind = r.choice(["partials", "partials", "partials", "plucked", "bell"])
        count = int(r.integers(1, 14))
        self.partials = r.random(count) ** 2 / np.arange(1, count + 1) ** r.uniform(0, 1.6)
        self.partials[0] += 0.3
        self.stretch = r.choice([0, 0, r.uniform(0, 0.002), r.uniform(0, 0.05)])
        self.attack_s = r.choice([0.003, 0.02, r.uniform(0.02, 0.3)])
        self.decay = r.choice([0, r.uniform(0.3, 3), r.uniform(2, 12)])
        self.vibrato = r.choice([0, 0, r.uniform(0, 0.012)]), r.uniform(3.5, 7.5)
        self.tremolo = r.choice([0, 0, r.uniform(0, 0.7)]), r.uniform(2, 9)
        self.breath = r.choice([0, 0, r.uniform(0, 0.15)])
        self.ratio, self.depth = r.uniform(0.5, 5), r.uniform(0.5, 6)

    def note(self, hertz: float, seconds: float) -> np.ndarray:
        r, n = self.chance, max(400, int(seconds * RATE))
        t = np.arange(n) / RATE
        if self.kind == "plucked":
            period = max(2, int(RATE / hertz))
            taps = np.zeros(period + 2)
            taps[0], taps[period], taps[period + 1] = 1, -0.498, -0.498
            burst = np.zeros(n)
            burst[: min(n, period)] = r.standard_normal(min(n, period))
            x = lfilter([1.0], taps, burst)
        elif self.kind == "bell":
            x = np.sin(2 * np.pi * hertz * t + self.depth * np.exp(-4 * t) * np.sin(2 * np.pi * hertz * self.ratio * t)) * np.exp(-2 * t)
        else:
            depth, rate = self.vibrato
            phase = 2 * np.pi * hertz * (t + depth / (2 * np.pi * rate) * np.sin(2 * np.pi * rate * t))
            x = np.zeros(n)
            for k, amount in enumerate(self.partials, 1):
                if k * hertz * (1 + self.stretch * k) < 3900:
                    x += amount * np.sin(k * (1 + self.stretch * k) * phase + k)
            x = x + self.breath * r.standard_normal(n)
            x *= np.exp(-self.decay * t) * (1 + self.tremolo[0] * np.sin(2 * np.pi * self.tremolo[1] * t))
        fade = min(n, max(40, int(0.04 * RATE)))
        x *= np.minimum(1, t / self.attack_s)
        x[-fade:] *= np.linspace(1, 0, fade)
        return (x / (np.abs(x).max() + 1e-6)).astype(np.float32)
