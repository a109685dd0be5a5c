import { nowUs } from './clock.ts';
import type { Reading } from './socket-reader.ts';

const TURN_US = 20_000;
/** After a pause as long as this, packets may wait unread: the timeline's clock starts its half second anew. */
export const STALL_US = 60_000;

/** Reads a part of what waits in the sockets; see SocketReader.read. */
export type Read = (startUs: number) => Reading;

/**
 * One 20 ms timer for all channels, on an absolute schedule: a late turn does not move the next ones. Turns that were
 * missed altogether are left out.
 *
 * With a `read` a turn begins by reading the sockets, in parts, between which the event loop sees to other things. The turn
 * is then told the moment up to which nothing is unread.
 */
export class TurnTimer {
  /** Since when packets are read as they come, monotonic microseconds. */
  dryUs = nowUs();
  readonly #turn: (nowUs: number) => void;
  readonly #read: Read | null;
  #dueUs = nowUs() + TURN_US;
  #longestDelayUs = 0;
  #timer: NodeJS.Timeout;
  #stopped = false;

  /** @param read null where dgram reads the sockets by itself */
  constructor(turn: (nowUs: number) => void, read: Read | null = null) {
    this.#turn = turn;
    this.#read = read;
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
    if (this.#read !== null) {
      this.#readOn(this.#read, now);
      return;
    }
    if (delay > STALL_US) this.dryUs = now;
    this.#finish(now);
  };

  /** Parts of the reading, until the sockets are empty or a turn's time is over. */
  #readOn(read: Read, sinceUs: number): void {
    if (this.#stopped) return;
    const startUs = nowUs();
    const reading = read(startUs);
    if (reading === 'more' && startUs - sinceUs < TURN_US) {
      setImmediate(() => this.#readOn(read, sinceUs));
      return;
    }
    // However long the pause was, what came in it was read with the time at which it came. Unless it was too much.
    if (reading !== 'empty') this.dryUs = startUs;
    this.#finish(startUs);
  }

  #finish(now: number): void {
    this.#turn(now);
    const after = nowUs();
    // The turn itself may have taken long.
    if (this.#read === null && after - now > STALL_US) this.dryUs = after;
    do this.#dueUs += TURN_US;
    while (this.#dueUs <= after);
    if (!this.#stopped) this.#timer = setTimeout(this.#run, Math.max(1, (this.#dueUs - after) / 1000));
  }
}
