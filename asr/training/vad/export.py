"""Weights as a module of TypeScript: 16-bit whole numbers with a scale a matrix."""

import base64
import textwrap
from pathlib import Path

import numpy as np

from .features import INPUTS
from .network import FADE, WIDTHS, Detector

LINE = 100


def write(path: Path, model: Detector, threshold: float) -> None:
    matrices = [value.detach().numpy() for value in model.state_dict().values()]
    scales = [int(np.ceil(np.abs(matrix).max() / 32767 * 2**30)) for matrix in matrices]
    values = np.concatenate([np.round(matrix / scale * 2**30).astype("<i2").ravel() for matrix, scale in zip(matrices, scales)])
    text = base64.b64encode(values.tobytes()).decode()
    lines = "\n".join(f"    '{line}'," for line in textwrap.wrap(text, LINE))
    path.write_text(f"""/** Made by asr/training/vad: {len(values)} weights. Do not edit; asr/training/README.md says how it is made. */
export const VAD_WEIGHTS = {{
  inputs: {INPUTS},
  widths: [{', '.join(str(width) for width in WIDTHS)}],
  fade: {FADE},
  /** Below it there is no speech for sure. */
  threshold: {threshold},
  /** Of each layer its gates' and its values' rows, then their biases; at last the output's row and its bias. Times 2^-30. */
  scales: [{', '.join(str(scale) for scale in scales)}],
  /** 16-bit little-endian, in base64. */
  values: [
{lines}
  ].join(''),
}};
""")
