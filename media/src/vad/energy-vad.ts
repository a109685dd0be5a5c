import { type CodecName, linearTableOf, SpeechDetector } from '@earshot/contracts';

const squaresOf = (codec: CodecName): Float64Array =>
  Float64Array.from(linearTableOf(codec), (sample) => sample * sample);
const SQUARES: Record<CodecName, Float64Array> = { PCMU: squaresOf('PCMU'), PCMA: squaresOf('PCMA') };

/** Raw speech activity of G.711 codes, one frame (20 ms) after the other; the rule is contracts' SpeechDetector. */
export class EnergyVad {
  readonly #squares: Float64Array;
  readonly #detector = new SpeechDetector();

  constructor(encoding: CodecName) {
    this.#squares = SQUARES[encoding];
  }

  /** @param bytes codes; the frame is bytes[start..end), usually 160 of them @returns whether it is speech */
  frame(bytes: Uint8Array, start: number, end: number): boolean {
    let sum = 0;
    for (let i = start; i < end; i++) sum += this.#squares[bytes[i]!]!;
    return this.#detector.frame(sum / Math.max(1, end - start));
  }
}
