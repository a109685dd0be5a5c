import { bytesPerTick, type Encoding, linearTableOf, ModelJudge, VAD_FRAME_TICKS } from '@earshot/contracts';
import { sampleAt } from './power.ts';

/** Scratch of all channels: a frame is judged before the next is read. */
const samples = new Int16Array(VAD_FRAME_TICKS);

/** Raw speech activity, one frame (20 ms) after the other; the rule is contracts' ModelJudge. */
export class ModelVad {
  readonly #table: Int16Array | null;
  readonly #judge = new ModelJudge();

  constructor(encoding: Encoding) {
    this.#table = bytesPerTick(encoding) === 1 && encoding !== 'L16' ? linearTableOf(encoding) : null;
  }

  get power(): number {
    return this.#judge.power;
  }

  /** @param bytes the frame is their ticks start..end, at most 160 of them @returns whether it is speech */
  frame(bytes: Uint8Array, start: number, end: number): boolean {
    const ticks = end - start;
    if (this.#table === null) for (let i = 0; i < ticks; i++) samples[i] = sampleAt(bytes, 2 * (start + i));
    else for (let i = 0; i < ticks; i++) samples[i] = this.#table[bytes[start + i]!]!;
    return this.#judge.frame(samples, 0, ticks);
  }
}
