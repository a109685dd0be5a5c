import { bytesPerTick, type Encoding, SpeechDetector } from '@earshot/contracts';
import { type PowerOf, powerOf } from './power.ts';

/** Raw speech activity, one frame (20 ms) after the other; the rule is contracts' SpeechDetector. */
export class EnergyVad {
  readonly #powerOf: PowerOf;
  readonly #bytes: 1 | 2;
  readonly #detector = new SpeechDetector();

  constructor(encoding: Encoding) {
    this.#powerOf = powerOf(encoding);
    this.#bytes = bytesPerTick(encoding);
  }

  get power(): number {
    return this.#detector.power;
  }

  /** @param bytes the frame is their ticks start..end, usually 160 of them @returns whether it is speech */
  frame(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#detector.frame(this.#powerOf(bytes, start * this.#bytes, end * this.#bytes));
  }
}
