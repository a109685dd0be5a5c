/** Input samples that an output needs on each side of its own time. */
export const REACH = 6;

/**
 * 8 kHz to 16 kHz by a windowed sinc, the filter that published models were trained behind: cut-off 3960 Hz (0.99 of the
 * lower Nyquist frequency), six zero crossings a side, Hann window. It is what torchaudio's and Kaldi's resamplers do by
 * default, so also sherpa-onnx. Measured: within 0.3 dB to 3.1 kHz, -1.3 dB at 3.4 kHz, -6 dB at 3.96 kHz; images are 20 dB
 * down from 4.6 kHz on and 45 dB from 5 kHz on. Group delay: none; it looks six samples (0.75 ms) ahead.
 *
 * Two phases: outputs at the time of an input sample (13 taps), and half a sample later (12 taps).
 */
const CUTOFF_HZ = 3960;
const RATE_HZ = 8000;

function tap(samples: number): number {
  const t = samples / RATE_HZ;
  const half = REACH / (2 * CUTOFF_HZ);
  if (Math.abs(t) >= half) return 0;
  const window = 0.5 * (1 + Math.cos((Math.PI * t) / half));
  const sinc = t === 0 ? 2 * CUTOFF_HZ : Math.sin(2 * Math.PI * CUTOFF_HZ * t) / (Math.PI * t);
  return (sinc * window) / RATE_HZ;
}

/** On an input sample: symmetric, from the middle outwards. */
const ON = Float64Array.from({ length: REACH + 1 }, (_, i) => tap(i));
/** Between two: symmetric, from the middle outwards. */
const BETWEEN = Float64Array.from({ length: REACH }, (_, i) => tap(i + 0.5));

/**
 * @param input samples at 8 kHz @param from index of the first sample that an output lies on; REACH samples before it are read
 * @param count how many input samples are doubled; REACH samples after them are read
 * @param output receives 2 × count samples at 16 kHz from index 0 on
 */
export function upsample(
  input: Float32Array | Float64Array,
  from: number,
  count: number,
  output: Float32Array | Float64Array,
): void {
  for (let i = 0; i < count; i++) {
    const at = from + i;
    let on = ON[0]! * input[at]!;
    let between = 0;
    for (let k = 0; k < REACH; k++) {
      const before = input[at - k]!;
      const after = input[at + k + 1]!;
      on += ON[k + 1]! * (input[at - k - 1]! + after);
      between += BETWEEN[k]! * (before + after);
    }
    output[2 * i] = on;
    output[2 * i + 1] = between;
  }
}
