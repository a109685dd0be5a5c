import { type CodecName, linearTableOf } from '@earshot/contracts';

/** Below about -56 dBFS nothing is speech: the idle noise of a codec and a line. Mean square of 16-bit samples. */
const SILENCE_POWER = 50 ** 2;
/** Speech is 6 dB above the noise. */
const SPEECH_OVER_NOISE = 4;
/** Above about -40 dBFS the floor stands still, so that anything louder than -34 dBFS stays speech for ever. */
const MAX_FLOOR_POWER = 330 ** 2;
/** The floor follows noise up by 1 dB a second (50 frames) and down by a quarter of the way each frame. */
const FLOOR_RISE = 10 ** (0.1 / 50);
const FLOOR_FALL = 0.25;

const squaresOf = (codec: CodecName): Float64Array =>
  Float64Array.from(linearTableOf(codec), (sample) => sample * sample);
const SQUARES: Record<CodecName, Float64Array> = { PCMU: squaresOf('PCMU'), PCMA: squaresOf('PCMA') };

/**
 * Raw speech activity by energy over an adaptive noise floor, one frame (20 ms) after the other. It errs towards speech: a
 * gate that opens for a door costs a little work, one that swallows a word cannot be mended.
 */
export class EnergyVad {
  readonly #squares: Float64Array;
  #floor = SILENCE_POWER / SPEECH_OVER_NOISE;

  constructor(encoding: CodecName) {
    this.#squares = SQUARES[encoding];
  }

  /** @param bytes codes; the frame is bytes[start..end), usually 160 of them @returns whether it is speech */
  frame(bytes: Uint8Array, start: number, end: number): boolean {
    let sum = 0;
    for (let i = start; i < end; i++) sum += this.#squares[bytes[i]!]!;
    const power = sum / Math.max(1, end - start);
    const speech = power > SILENCE_POWER && power > this.#floor * SPEECH_OVER_NOISE;
    if (power < this.#floor) this.#floor += (power - this.#floor) * FLOOR_FALL;
    else this.#floor = Math.min(MAX_FLOOR_POWER, this.#floor * FLOOR_RISE);
    // Digital silence would take the floor to nothing, from where it could not rise by factors.
    this.#floor = Math.max(1, this.#floor);
    return speech;
  }
}
