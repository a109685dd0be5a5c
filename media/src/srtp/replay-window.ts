/** RFC 3711 section 3.3.2 asks for 64 at least. 128 packets are 2.5 s of telephony. */
export const REPLAY_WINDOW = 128;

/** Which of the last packets of a stream have been taken (RFC 3711 section 3.3.2). */
export class ReplayWindow {
  /** The highest index that was taken; -1 before the first. */
  highest = -1;
  /** Whether index i was taken is bit i modulo 128. */
  readonly #bits = new Uint32Array(REPLAY_WINDOW / 32);

  /** Whether a packet with this index may be taken: it is new, and not too old to tell. */
  isNew(index: number): boolean {
    if (index > this.highest) return true;
    if (index <= this.highest - REPLAY_WINDOW) return false;
    const bit = index % REPLAY_WINDOW;
    return (this.#bits[bit >> 5]! & (1 << (bit & 31))) === 0;
  }

  take(index: number): void {
    if (index > this.highest) {
      if (index - this.highest >= REPLAY_WINDOW) this.#bits.fill(0);
      else for (let i = this.highest + 1; i < index; i++) this.#set(i, false);
      this.highest = index;
    }
    this.#set(index, true);
  }

  /** Begins anew: nothing has been taken, and what is at most highest is not asked about. */
  reset(): void {
    this.highest = -1;
    this.#bits.fill(0);
  }

  #set(index: number, taken: boolean): void {
    const bit = index % REPLAY_WINDOW;
    const mask = 1 << (bit & 31);
    const word = this.#bits[bit >> 5]!;
    this.#bits[bit >> 5] = taken ? word | mask : word & ~mask;
  }
}
