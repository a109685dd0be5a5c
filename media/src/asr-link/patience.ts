/** An engine that gives no credit for so long, while audio waits for it, is left. */
const SILENCE_US = 5_000_000;
/** Each engine in a row that was silent doubles the wait, up to this: the only engine is not asked over and over. */
const MAX_SILENCE_US = 30_000_000;

/** How long a channel waits for its engine's credit. Time is passed in, monotonic microseconds. */
export class Patience {
  #sinceUs = Infinity;
  #timesLeft = 0;
  #stuckTick = -1;

  /** The engine took something or gave credit, or a channel is begun anew: the wait begins when something waits again. */
  reset(): void {
    this.#sinceUs = Infinity;
  }

  /** The engine decided up to there. Only what is beyond the tick where the last one fell silent shows that this one works. */
  decided(tick: number): void {
    if (tick > this.#stuckTick) this.#timesLeft = 0;
  }

  /**
   * @param waiting something may not be sent for lack of credit
   * @param steadySinceUs since when this process runs without a stall: in one, credit waits unread
   * @returns whether the engine is to be left
   */
  isOver(nowUs: number, waiting: boolean, steadySinceUs: number): boolean {
    if (!waiting) this.#sinceUs = Infinity;
    else if (this.#sinceUs === Infinity) this.#sinceUs = nowUs;
    const limitUs = Math.min(MAX_SILENCE_US, SILENCE_US * 2 ** this.#timesLeft);
    return waiting && nowUs - Math.max(this.#sinceUs, steadySinceUs) >= limitUs;
  }

  /** The engine was left for its silence. @param decidedTick how far it had come */
  left(decidedTick: number): void {
    this.#timesLeft++;
    this.#stuckTick = Math.max(this.#stuckTick, decidedTick);
    this.#sinceUs = Infinity;
  }
}
