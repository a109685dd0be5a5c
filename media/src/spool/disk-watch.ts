import type { BlockWriter } from './block-writer.ts';

/** A disk at its edge takes one block and not the next: it is good news only after a while without a loss. */
const QUIET_US = 10_000_000;

/** Whether a channel's audio comes into its files. Looked at about once a second. */
export class DiskWatch {
  /** Some block was lost, and none was written for good since. */
  full = false;
  /** From where on audio is missing in the files, the last time. */
  sinceTick = 0;
  /** What somebody was told; null: nobody knows what. */
  #told: boolean | null;
  readonly #inherited: boolean;
  #seenTick = 0;
  #lostUs = -Infinity;

  /** @param told whether somebody was told that it is full; null when a predecessor may have told something */
  constructor(told: boolean | null) {
    this.#told = told;
    this.#inherited = told === null;
  }

  /** @returns whether its state has to be told; ask `full` */
  changed(
    { lostTick, lostFromTick, writtenTick }: Pick<BlockWriter, 'lostTick' | 'lostFromTick' | 'writtenTick'>,
    nowUs: number,
  ): boolean {
    if (lostTick > this.#seenTick) {
      this.#seenTick = lostTick;
      this.#lostUs = nowUs;
      if (!this.full) this.sinceTick = lostFromTick;
      this.full = true;
    } else if (this.full && writtenTick > lostTick && nowUs - this.#lostUs >= QUIET_US) {
      this.full = false;
    }
    return this.full !== this.#told;
  }

  /** Whoever was told may have forgotten it. What was always well need not be told. */
  tellAgain(): void {
    if (this.#seenTick > 0 || this.#inherited) this.#told = null;
  }

  /** Somebody was told. */
  told(): void {
    this.#told = this.full;
  }
}
