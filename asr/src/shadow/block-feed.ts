import { Gate, PRE_ROLL_TICKS, type SpoolBlock, toLinear, VAD_FRAME_TICKS } from '@earshot/contracts';

/** What the recogniser gets, in order and without holes. Ticks; samples are one a tick. */
export type Step =
  | { readonly kind: 'audio'; readonly from: number; readonly to: number; readonly samples: Int16Array }
  | { readonly kind: 'gap'; readonly from: number; readonly to: number };

/** Samples in a step of audio, at most. */
const MAX_AUDIO_TICKS = 8000;

/**
 * A channel's spool blocks as steps of audio and gaps. The raw speech bits in the blocks open the gate, so it is cut where the live
 * path cut it (media/src/asr-link/step.ts).
 */
export class BlockFeed {
  readonly #gate = new Gate();
  readonly #blocks: SpoolBlock[] = [];
  #keptTicks = 0;
  #cursor = 0;
  #heardTick = 0;
  #endTick: number | null = null;

  /** The end of the newest block. */
  get heardTick(): number {
    return this.#heardTick;
  }
  /** Everything before it was handed out. */
  get cursor(): number {
    return this.#cursor;
  }
  /** Audio that it keeps and has not handed out. Holes take no memory and count for nothing. */
  get waitingTicks(): number {
    const first = this.#blocks[0];
    return this.#keptTicks - (first === undefined ? 0 : Math.max(0, this.#cursor - first.startTick));
  }
  get done(): boolean {
    return this.#endTick !== null && this.#cursor >= this.#endTick;
  }

  /** Blocks come in order; one that lies before the last is left out. */
  push(block: SpoolBlock): void {
    if (block.startTick < this.#heardTick || block.ticks === 0) return;
    for (let i = 0; i * VAD_FRAME_TICKS < block.ticks; i++) {
      if (((block.vad >>> i) & 1) === 0) continue;
      const start = block.startTick + i * VAD_FRAME_TICKS;
      this.#gate.speech(start, Math.min(start + VAD_FRAME_TICKS, block.startTick + block.ticks));
    }
    this.#heardTick = block.startTick + block.ticks;
    this.#blocks.push(block);
    this.#keptTicks += block.ticks;
  }

  /** The timeline ends there, and no block follows. */
  end(tick: number): void {
    this.#endTick = tick;
  }

  /** @param limit not beyond @returns null when nothing is decided before it */
  next(limit: number): Step | null {
    const from = this.#cursor;
    const last = this.#endTick !== null;
    const end = Math.min(limit, this.#endTick ?? this.#heardTick);
    if (from >= end) return null;
    const openUntil = this.#gate.openUntil(from);
    if (openUntil < 0) {
      // Speech that begins within the pre-roll will open the gate back to here.
      const decided = last ? Infinity : this.#heardTick - PRE_ROLL_TICKS;
      return this.#gap(Math.min(end, decided, Math.ceil(this.#gate.nextOpen(from))));
    }
    const until = Math.min(end, openUntil);
    const block = this.#blocks[0];
    if (block === undefined || block.startTick > from)
      return this.#gap(Math.min(until, block?.startTick ?? until));
    return this.#audio(Math.min(until, from + MAX_AUDIO_TICKS));
  }

  #gap(to: number): Step | null {
    const from = this.#cursor;
    if (to <= from) return null;
    this.#moveTo(to);
    return { kind: 'gap', from, to };
  }

  #audio(most: number): Step {
    const from = this.#cursor;
    const samples = new Int16Array(most - from);
    let at = from;
    for (const block of this.#blocks) {
      if (block.startTick > at || at >= most) break;
      const end = Math.min(most, block.startTick + block.ticks);
      toLinear(
        block.encoding,
        block.payload,
        at - block.startTick,
        end - block.startTick,
        samples,
        at - from,
      );
      at = end;
    }
    this.#moveTo(at);
    return { kind: 'audio', from, to: at, samples: samples.subarray(0, at - from) };
  }

  #moveTo(tick: number): void {
    this.#cursor = tick;
    this.#gate.forget(tick);
    let count = 0;
    for (const block of this.#blocks) {
      if (block.startTick + block.ticks > tick) break;
      count++;
      this.#keptTicks -= block.ticks;
    }
    this.#blocks.splice(0, count);
  }
}
