/** Audio that one reading of the offset is made from: 10 s. The least delay in it is what the network does at its best. */
const WINDOW_TICKS = 80_000;
/** Fewer packets say nothing. */
const MIN_PACKETS = 50;
/** A difference that is worth a correction: 20 ms. */
const TOLERANCE_TICKS = 160;
/** No clock is off by half a second within 10 s: audio that is played in a burst is left as it is. */
const MAX_STEP_TICKS = 4000;

/**
 * How far a sender's clock has run from ours, from the delay of its packets: the least (arrival - end of the packet on the
 * timeline) of each 10 s, against that of the first 10 s. Network jitter only adds delay, so the least one moves with the clocks. A
 * path that grows longer for good looks the same and is treated so: channels stay aligned by what arrives together.
 */
export class ClockDrift {
  #reference: number | null = null;
  #least = Infinity;
  #packets = 0;
  #fromTick = 0;
  #pending = 0;

  /** Ticks to put in (above 0, the sender is slow) or to leave out (below 0, it is fast); 0 for none. */
  get pending(): number {
    return this.#pending;
  }

  /** Measures anew, from a new start. */
  reset(tick: number): void {
    this.#reference = null;
    this.#pending = 0;
    this.#window(tick);
  }

  /** @param delayTicks arrival of a packet, as a tick, less the tick at which it ends @param endTick that tick */
  packet(delayTicks: number, endTick: number): void {
    if (delayTicks < this.#least) this.#least = delayTicks;
    this.#packets++;
    if (endTick - this.#fromTick < WINDOW_TICKS) return;
    if (this.#packets >= MIN_PACKETS) {
      const known = this.#reference !== null && Math.abs(this.#least - this.#reference) <= MAX_STEP_TICKS;
      if (!known) this.#reference = this.#least;
      const off = this.#least - (this.#reference ?? this.#least);
      this.#pending = Math.abs(off) >= TOLERANCE_TICKS ? Math.round(off) : 0;
    }
    this.#window(endTick);
  }

  /** So much is to be put in (or left out, below 0), because another channel of the call is known to be right. */
  realign(ticks: number): void {
    this.#pending += ticks;
    // The new place is where it belongs: nothing is to be undone.
    if (this.#reference !== null) this.#reference -= ticks;
  }

  /** So much of what was pending is done, in the same sense. */
  corrected(ticks: number): void {
    this.#pending -= ticks;
    this.#least -= ticks;
  }

  #window(tick: number): void {
    this.#least = Infinity;
    this.#packets = 0;
    this.#fromTick = tick;
  }
}
