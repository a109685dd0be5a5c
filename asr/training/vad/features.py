"""
What the detector sees of a frame of 20 ms. contracts/src/vad-features.ts computes the same, operation for operation.

Many channels go side by side: arrays are [channels, …], time is a loop.
"""

from dataclasses import dataclass

import numpy as np

FRAME, WINDOW = 160, 256
#: In bins of 31.25 Hz.
EDGES = [4, 6, 8, 10, 12, 15, 18, 21, 25, 29, 34, 40, 46, 53, 62, 72, 84, 98, 114]
BANDS = len(EDGES) - 1
#: In which the fine structure is followed: 190 to 1000 Hz and on to 3 kHz.
RANGES = [(6, 32), (32, 96)]
#: Added to a band's power: about -80 dBFS.
TINY = 1e-8
INPUTS = 2 * BANDS + 2 * len(RANGES) + 4
#: A slow mean over 3 s; a noise floor that rises 3 dB a second.
SLOW, RISE, FALL = 1 / 150, 0.02, 0.25

#: As contracts/src/speech.ts has it.
SILENCE_POWER, SPEECH_OVER_NOISE, MAX_FLOOR_POWER = 50.0**2, 4, 330.0**2
FLOOR_RISE, FLOOR_FALL = 10 ** (0.1 / 50), 0.25
#: Below that over the noise the network is not asked.
ASKED_OVER_NOISE = 2

HANN = np.round((0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)) * 32768) / 32768


def log2(x: np.ndarray) -> np.ndarray:
    """Within 0.01: exponent and a parabola. The same on every machine."""
    bits = x.astype(np.float32).view(np.int32)
    m = (bits & 0x7FFFFF).astype(np.float64) / 2**23
    return (bits >> 23).astype(np.float64) - 127 + m * (4 - m) / 3


@dataclass
class Seen:
    #: [channels, frames, INPUTS]
    inputs: np.ndarray
    #: [channels, frames]: the network is asked
    asked: np.ndarray
    #: [channels, frames]: what energy alone says
    energy: np.ndarray


def see(pcm: np.ndarray) -> Seen:
    """@param pcm [channels, samples], 16-bit values, whole frames"""
    channels, frames = pcm.shape[0], pcm.shape[1] // FRAME
    padded = np.concatenate([np.zeros((channels, WINDOW - FRAME)), pcm], 1)
    inputs = np.zeros((channels, frames, INPUTS), np.float32)
    asked, energy = np.zeros((channels, frames), bool), np.zeros((channels, frames), bool)
    noise = np.full(channels, SILENCE_POWER / SPEECH_OVER_NOISE)
    mean, count = np.zeros(channels), np.zeros(channels)
    floor, before = np.zeros((channels, BANDS)), np.zeros((channels, BANDS))
    fine = np.zeros((channels, 129))
    for i in range(frames):
        new = pcm[:, i * FRAME : (i + 1) * FRAME]
        power = np.mean(new * new, 1)
        over = power / noise
        energy[:, i] = (power > SILENCE_POWER) & (over > SPEECH_OVER_NOISE)
        a = asked[:, i] = (power > SILENCE_POWER) & (over > ASKED_OVER_NOISE)
        noise = np.maximum(1, np.where(power < noise, noise + (power - noise) * FLOOR_FALL, np.minimum(MAX_FLOOR_POWER, noise * FLOOR_RISE)))
        if not a.any():
            continue
        spectrum = np.fft.rfft(padded[a, i * FRAME : i * FRAME + WINDOW] * HANN / 32768)
        bins = (spectrum.real**2 + spectrum.imag**2) / 64
        level = np.stack([log2(bins[:, lo:hi].sum(1) / (hi - lo) + TINY) for lo, hi in zip(EDGES, EDGES[1:])], 1)
        total = level.mean(1)
        count[a] += 1
        first = count[a] == 1
        mean[a] += (total - mean[a]) * np.maximum(SLOW, 1 / count[a])
        f = floor[a]
        f = np.where(first[:, None], level, np.where(level < f, f + (level - f) * FALL, np.minimum(f + RISE, level)))
        floor[a] = f
        was = np.where(first[:, None], level, before[a])
        before[a] = level
        c = np.sqrt(np.sqrt(bins))
        slope = np.zeros_like(c)
        slope[:, 1:-1] = c[:, 2:] - c[:, :-2]
        s = fine[a]
        x = inputs[:, i]
        same, peak = [], []
        for lo, hi in RANGES:
            d, e = slope[:, lo:hi], s[:, lo:hi]
            same.append((d * e).sum(1) / np.sqrt((d * d).sum(1) * (e * e).sum(1) + 1e-12))
            peak.append(log2(bins[:, lo:hi].max(1) + TINY) - log2(bins[:, lo:hi].sum(1) / (hi - lo) + TINY))
        fine[a] = 0.7 * s + 0.3 * slope
        x[a] = np.concatenate([
            np.clip((level - mean[a][:, None]) / 4, -3, 3),
            (level - f) / 6 - 0.5,
            np.stack(same, 1), np.stack(peak, 1) / 4,
            np.stack([(total + 12) / 8, np.clip((total - was.mean(1)) / 2, -3, 3), np.abs(level - was).mean(1) / 2 - 0.5,
                      log2(over[a]) / 4 - 1], 1),
        ], 1)
    return Seen(inputs, asked, energy)
