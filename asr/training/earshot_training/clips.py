"""Recordings of real people, to be judged by and never trained on: a folder with SOURCES.txt and WAV files.

SOURCES.txt: `file | format | where it is from | what is said | …`, a line a clip.
"""

import subprocess
from pathlib import Path

import numpy as np

from .augment import RATE
from .corpus import Item


def read_clips(folder: Path) -> list[Item]:
    """@raises FileNotFoundError without SOURCES.txt or sox, subprocess.CalledProcessError for a file that is no sound"""
    clips = []
    for line in (folder / "SOURCES.txt").read_text(encoding="utf-8").splitlines():
        parts = [part.strip() for part in line.split("|")]
        if len(parts) < 4 or not (folder / parts[0]).exists():
            continue
        command = ["sox", str(folder / parts[0]), "-r", str(RATE), "-c", "1", "-b", "16", "-e", "signed", "-t", "raw", "-"]
        raw = subprocess.run(command, capture_output=True, check=True).stdout
        pcm = np.frombuffer(raw, dtype=np.int16)
        level = 0.5 * 32767 / max(1, int(np.abs(pcm.astype(np.int32)).max()))
        clips.append(Item(parts[3].lower(), parts[0], (pcm * level).astype(np.int16), 0, len(pcm), None))
    return clips
