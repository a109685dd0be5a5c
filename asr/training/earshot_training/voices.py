"""Speech from all of Debian's English synthesisers, each with times of its phones.

A voice is named `engine:voice`; an utterance is float32 at 8 kHz with the phone that sounds up to each time. Rate, pitch and
vocal-tract length vary from one utterance to the next. The vocal tract is varied by playing the sound faster or slower
(all formants move with it) while the synthesiser is asked for the pitch and rate that undo it.
"""

import ctypes
import random
import re
import subprocess
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

RATE = 8000
#: Never trained on: a model is judged by them (issue: held-out voices).
HELD_OUT = ["festival:ked_diphone", "espeak:en-gb-scotland"]

FLITE = ["kal", "kal16", "awb", "rms", "slt"]
FESTIVAL = ["kal_diphone", "cmu_us_slt_arctic_hts"]
ESPEAK_ACCENTS = {
    "en-us": 8, "en": 3, "en-gb-x-rp": 2, "en-gb-x-gbclan": 1, "en-gb-x-gbcwmd": 1, "en-029": 1, "en-us-nyc": 2,
}
ESPEAK_DATA = ["/usr/lib/x86_64-linux-gnu/espeak-ng-data", "/usr/share/espeak-ng-data", "/usr/lib/aarch64-linux-gnu/espeak-ng-data"]
#: Whispers and effects that no caller sounds like.
ESPEAK_NOT = {"whisper", "whisperf", "croak", "grandma", "grandpa", "robosoft", "robosoft2", "robosoft3", "robosoft4",
              "robosoft5", "robosoft6", "robosoft7", "robosoft8", "Storm", "UniRobot", "anikaRobot", "Demonic", "cricket",
              "caleb", "edward2", "Tweaky", "Half-LifeAnnouncementSystem", "Denis", "Henrique", "RicishayMax", "RicishayMax2",
              "RicishayMax3", "shelby"}

Phones = list[tuple[str, float]]


class SynthesisError(Exception):
    """A synthesiser is missing or gave no sound; says which."""


@dataclass
class Utterance:
    text: str
    voice: str
    #: float32, -1..1, 8 kHz
    pcm: np.ndarray
    #: (phone, end in seconds), or None where the synthesiser does not tell
    phones: Phones | None


@dataclass
class Manner:
    """How a line is spoken."""

    #: duration of a sound against the voice's own, 0.8..1.3
    stretch: float = 1.0
    #: mean fundamental frequency, Hz; None leaves the voice's own
    pitch_hz: float | None = None
    #: formants against the voice's own, 0.85..1.18
    formant: float = 1.0

    @classmethod
    def chance(cls, chance: random.Random) -> "Manner":
        formant = 1.0 if chance.random() < 0.35 else chance.uniform(0.86, 1.17)
        return cls(
            stretch=chance.uniform(0.78, 1.28),
            pitch_hz=None if chance.random() < 0.25 else chance.uniform(85, 230),
            formant=formant,
        )


def spoken_form(text: str) -> str:
    """Single letters in upper case, so that a synthesiser spells them ("a" and "i" stay words)."""
    return re.sub(r"\b([b-hj-z])\b", lambda letter: letter[1].upper(), text)


def to_8k(pcm: np.ndarray, rate: int, formant: float) -> tuple[np.ndarray, float]:
    """@returns sound at 8 kHz with its formants moved, and what to divide times by"""
    ratio = Fraction(RATE / (rate * formant)).limit_denominator(160)
    return resample_poly(pcm, ratio.numerator, ratio.denominator).astype(np.float32), formant


class Flite:
    """Festival Lite by its command; -psdur tells when phones end."""

    def __init__(self, folder: Path):
        self._wav = folder / "flite.wav"

    def say(self, text: str, voice: str, manner: Manner) -> Utterance:
        arguments = ["flite", "-voice", voice, "-psdur"]
        # Played faster by `formant`, so spoken slower and lower by as much.
        arguments += ["--setf", f"duration_stretch={manner.stretch * manner.formant:.3f}"]
        if manner.pitch_hz is not None:
            arguments += ["--setf", f"int_f0_target_mean={manner.pitch_hz / manner.formant:.0f}"]
        run = subprocess.run(
            [*arguments, "-t", spoken_form(text), "-o", str(self._wav)], capture_output=True, text=True, check=False
        )
        if run.returncode != 0:
            raise SynthesisError(f"flite {voice}: {run.stderr.strip() or 'is flite installed?'}")
        rate, sound = wavfile.read(self._wav)
        pcm, divide = to_8k(sound.astype(np.float32) / 32768, rate, manner.formant)
        pairs = [item.rsplit(":", 1) for item in run.stdout.split() if ":" in item]
        phones = [(name, float(end) / divide) for name, end in pairs]
        steady = all(b >= a for (_, a), (_, b) in zip(phones, phones[1:]))
        return Utterance(text, f"flite:{voice}", pcm, phones if steady else None)


class EspeakEvent(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    class Id(ctypes.Union):
        _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]

    _fields_ = [
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", Id),
    ]


class Espeak:
    """espeak-ng in process, through its C library: no process a line, and phone events."""

    PHONEME, END = 7, 0
    CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(EspeakEvent))
    RATE_PARAMETER, PITCH_PARAMETER, RANGE_PARAMETER = 1, 3, 4

    def __init__(self):
        try:
            self._lib = ctypes.CDLL("libespeak-ng.so.1")
        except OSError as error:
            raise SynthesisError("install the Debian package libespeak-ng1") from error
        # AUDIO_OUTPUT_SYNCHRONOUS = 2; option bit 0: phoneme events.
        self._rate = self._lib.espeak_Initialize(2, 0, None, 1)
        if self._rate <= 0:
            raise SynthesisError("espeak-ng does not start: install espeak-ng-data")
        self._callback = self.CALLBACK(self._receive)
        self._lib.espeak_SetSynthCallback(self._callback)
        self._blocks: list[np.ndarray] = []
        self._events: list[tuple[str, float]] = []

    def voices(self) -> list[str]:
        """Every accent with each variant that a person could sound like; an accent is there as often as it is heard."""
        data = next((Path(folder) for folder in ESPEAK_DATA if Path(folder).exists()), None)
        if data is None:
            raise SynthesisError("install the Debian package espeak-ng-data")
        variants = sorted(p.name for p in (data / "voices/!v").iterdir() if p.name not in ESPEAK_NOT)
        named = {(accent, variant): f"{accent}+{variant}" for accent in ESPEAK_ACCENTS for variant in variants}
        known = {key: name for key, name in named.items() if self._lib.espeak_SetVoiceByName(name.encode()) == 0}
        return [name for (accent, _), name in known.items() for _ in range(ESPEAK_ACCENTS[accent])]

    def _receive(self, wav, samples, events):
        if samples > 0:
            self._blocks.append(np.ctypeslib.as_array(wav, (samples,)).copy())
        i = 0
        while events and events[i].type != self.END:
            if events[i].type == self.PHONEME:
                self._events.append((events[i].id.string.decode("utf-8", "replace"), events[i].audio_position / 1000))
            i += 1
        return 0

    def say(self, text: str, voice: str, manner: Manner) -> Utterance:
        if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SynthesisError(f"espeak-ng has no voice {voice}")
        words_a_minute = 165 / (manner.stretch * manner.formant)
        self._lib.espeak_SetParameter(self.RATE_PARAMETER, int(max(80, min(450, words_a_minute))), 0)
        # espeak's pitch is 0..99 about 50, where a variant is at home; a little of it is enough.
        pitch = 50 if manner.pitch_hz is None else 25 + 50 * (manner.pitch_hz - 85) / 145
        self._lib.espeak_SetParameter(self.PITCH_PARAMETER, int(max(5, min(95, pitch / manner.formant))), 0)
        self._blocks, self._events = [], []
        line = spoken_form(text).encode()
        # espeakCHARS_UTF8 = 1
        if self._lib.espeak_Synth(line, len(line) + 1, 0, 1, 0, 1, None, None) != 0 or not self._blocks:
            raise SynthesisError(f"espeak-ng {voice} said nothing")
        sound = np.concatenate(self._blocks).astype(np.float32) / 32768
        pcm, divide = to_8k(sound, self._rate, manner.formant)
        # An event marks where a phone begins: it ends where the next one does.
        ends = [start for _, start in self._events[1:]] + [len(sound) / self._rate]
        phones = [(name or "pau", end / divide) for (name, _), end in zip(self._events, ends)]
        if phones and self._events[0][1] > 0:
            phones.insert(0, ("pau", self._events[0][1] / divide))
        steady = all(b >= a for (_, a), (_, b) in zip(phones, phones[1:]))
        return Utterance(text, f"espeak:{voice}", pcm, phones if steady and phones else None)


class Festival:
    """festival, many lines a process: starting it takes longer than speaking."""

    def __init__(self, folder: Path):
        self._folder = folder

    def say_all(self, lines: list[tuple[str, Manner]], voice: str) -> list[Utterance | None]:
        """@returns an utterance a line, None where the voice could not say it"""
        script = [f"(voice_{voice})", "(set! own_intonation (if (boundp 'int_lr_params) int_lr_params nil))"]
        for i, (text, manner) in enumerate(lines):
            said = spoken_form(text).replace("\\", " ").replace('"', " ")
            script.append(f"(Parameter.set 'Duration_Stretch {manner.stretch * manner.formant:.3f})")
            if voice.endswith("_diphone"):
                script.append(f"(set! int_lr_params {self._intonation(manner)})")
            script.append(f'(set! utt (utt.synth (Utterance Text "{said}")))')
            script.append(f'(utt.save.wave utt "{self._folder}/{i}.wav" \'riff)')
            script.append(f'(utt.save.segs utt "{self._folder}/{i}.lab")')
            # One line that a voice stumbles over must not cost the others.
        (self._folder / "lines.scm").write_text("\n".join(f"(unwind-protect {line} nil)" for line in script))
        for old in self._folder.glob("*.wav"):
            old.unlink()
        subprocess.run(
            ["festival", "-b", str(self._folder / "lines.scm")], capture_output=True, check=False, timeout=900
        )
        return [self._read(i, text, voice, manner) for i, (text, manner) in enumerate(lines)]

    @staticmethod
    def _intonation(manner: Manner) -> str:
        """Of a diphone voice, by linear regression about a mean (Festival's manual, Intonation)."""
        if manner.pitch_hz is None:
            return "own_intonation"
        mean = manner.pitch_hz / manner.formant
        return f"'((target_f0_mean {mean:.0f}) (target_f0_std {mean / 8:.0f}) (model_f0_mean 170) (model_f0_std 34))"

    def _read(self, i: int, text: str, voice: str, manner: Manner) -> Utterance | None:
        path = self._folder / f"{i}.wav"
        if not path.exists():
            return None
        rate, sound = wavfile.read(path)
        pcm, divide = to_8k(sound.astype(np.float32) / 32768, rate, manner.formant)
        phones = None
        label = self._folder / f"{i}.lab"
        if label.exists():
            rows = [row.split() for row in label.read_text(errors="replace").splitlines()]
            phones = [(row[2].rstrip(";"), float(row[0]) / divide) for row in rows if len(row) >= 3 and row[0] != "#"]
        return Utterance(text, f"festival:{voice}", pcm, phones or None)


class Choir:
    """All voices, chosen by chance: somewhat less than half espeak-ng's hundreds of variants, the others voices made from people."""

    def __init__(self, seed: int):
        self._chance = random.Random(seed)
        self._folder = Path(tempfile.mkdtemp(prefix="earshot-voices-"))
        self._flite = Flite(self._folder)
        self._espeak = Espeak()
        self._festival = Festival(self._folder)
        self._espeak_voices = self._espeak.voices()

    def say(self, lines: list[str]) -> list[Utterance]:
        """Speaks each line in a voice of its own. Lines that a voice cannot say are left out."""
        said: list[Utterance | None] = []
        later: dict[str, list[tuple[str, Manner]]] = {}
        for text in lines:
            manner = Manner.chance(self._chance)
            draw = self._chance.random()
            if draw < 0.44:
                said.append(self._espeak.say(text, self._chance.choice(self._espeak_voices), manner))
            elif draw < 0.86:
                said.append(self._flite.say(text, self._chance.choice(FLITE), manner))
            else:
                later.setdefault(self._chance.choice(FESTIVAL), []).append((text, manner))
        for voice, spoken in later.items():
            said.extend(self._festival.say_all(spoken, voice))
        return [trimmed(utterance) for utterance in said if utterance is not None and np.abs(utterance.pcm).max() > 0]

    def say_as(self, voice: str, lines: list[str]) -> list[Utterance]:
        """Every line in one named voice, in its own manner."""
        engine, _, name = voice.partition(":")
        plain = Manner()
        if engine == "festival":
            said = self._festival.say_all([(text, plain) for text in lines], name)
        elif engine == "flite":
            said = [self._flite.say(text, name, plain) for text in lines]
        else:
            said = [self._espeak.say(text, name, plain) for text in lines]
        return [trimmed(utterance) for utterance in said if utterance is not None and np.abs(utterance.pcm).max() > 0]


def trimmed(utterance: Utterance) -> Utterance:
    """Without the silence around it (150 ms before and 200 ms after stay), at a level of its own."""
    loud = np.nonzero(np.abs(utterance.pcm) > 0.01 * np.abs(utterance.pcm).max())[0]
    first = max(0, int(loud[0]) - 1200)
    last = min(len(utterance.pcm), int(loud[-1]) + 1600)
    pcm = utterance.pcm[first:last] / np.abs(utterance.pcm).max() * 0.5
    shift = first / RATE
    phones = utterance.phones
    if phones is not None:
        phones = [(name, max(0.0, end - shift)) for name, end in phones]
    return Utterance(utterance.text, utterance.voice, pcm, phones)
