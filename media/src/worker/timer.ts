import { nowUs } from './clock.ts';

const TURN_US = 20_000;
/** After a pause as long as this, packets may wait unread: the timeline's clock starts its half second anew. */
export const STALL_US = 60_000;

/**
 * One 20 ms timer for all channels, on an absolute schedule: a late turn does not move the next ones. Turns that were
 * missed altogether are left out.
 */
export class TurnTimer {
  /** Since when the loop runs without a stall, monotonic microseconds. */
  dryUs = nowUs();
  readonly #turn: (nowUs: number) => void;
  #dueUs = nowUs() + TURN_US;
  #longestDelayUs = 0;
  #timer: NodeJS.Timeout;
  #stopped = false;

  constructor(turn: (nowUs: number) => void) {
    this.#turn = turn;
    this.#timer = setTimeout(this.#run, TURN_US / 1000);
  }

  /** The longest delay since the last call, in microseconds. */
  takeDelayUs(): number {
    const delay = this.#longestDelayUs;
    this.#longestDelayUs = 0;
    return delay;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  readonly #run = (): void => {
    const now = nowUs();
    const delay = now - this.#dueUs;
    if (delay > this.#longestDelayUs) this.#longestDelayUs = delay;
    if (delay > STALL_US) this.dryUs = now;
    this.#turn(now);
    const after = nowUs();
    // The turn itself may have taken long.
    if (after - now > STALL_US) this.dryUs = after;
    do this.#dueUs += TURN_US;
    while (this.#dueUs <= after);
    if (!this.#stopped) this.#timer = setTimeout(this.#run, Math.max(1, (this.#dueUs - after) / 1000));
  };
}
