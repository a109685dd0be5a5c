import { nowUs } from './clock.ts';
import type { Reading } from './socket-reader.ts';

const TURN_US = 20_000;
/** So long the event loop is kept at most before it may see to other things: messages, timers, other sockets. */
const SLICE_US = 3000;
/** A disk that pushes back takes about as long for what was read last; what comes waits in the kernel meanwhile. */
const LATER_MS = 2;
/** After a pause as long as this, packets may wait unread: the timeline's clock starts its half second anew. */
export const STALL_US = 60_000;

/** Reads a part of what waits in the sockets; see SocketReader.read. */
export type Read = (startUs: number, untilUs: number) => Reading;

/** What is done each turn, as of nowUs. Wherever it yields, the event loop may see to other things before it goes on. */
export type Turn = (nowUs: number) => Iterator<void, void>;

/**
 * One 20 ms timer for all channels, on an absolute schedule: a late turn does not move the next ones. Turns that were
 * missed altogether are left out.
 *
 * With a `read` a turn begins by reading the sockets. The turn is then told the moment up to which nothing is unread. Both are done
 * in slices of a few milliseconds, between which the event loop sees to other things.
 */
export class TurnTimer {
  /** Since when packets are read as they come, monotonic microseconds. */
  dryUs = nowUs();
  readonly #turn: Turn;
  readonly #read: Read | null;
  #dueUs = nowUs() + TURN_US;
  #longestDelayUs = 0;
  #timer: NodeJS.Timeout;
  #stopped = false;

  /** @param read null where dgram reads the sockets by itself */
  constructor(turn: Turn, read: Read | null = null) {
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
    this.#begin(now);
  };

  /** Parts of the reading, until the sockets are empty or a turn's time is over. */
  #readOn(read: Read, sinceUs: number, goOnUs: number | null = null): void {
    if (this.#stopped) return;
    const now = nowUs();
    const startUs = goOnUs ?? now;
    const reading = read(startUs, now + SLICE_US);
    if (reading === 'part') {
      setImmediate(() => this.#readOn(read, sinceUs, startUs));
      return;
    }
    const on = (): void => this.#readOn(read, sinceUs);
    if (reading !== 'empty' && now - sinceUs < TURN_US) {
      if (reading === 'more') setImmediate(on);
      else this.#timer = setTimeout(on, LATER_MS);
      return;
    }
    // However long the pause was, what came in it was read with the time at which it came. Unless it was too much.
    if (reading !== 'empty') this.dryUs = startUs;
    this.#begin(startUs);
  }

  #begin(now: number): void {
    const turn = this.#turn(now);
    // What was read took its time already.
    if (this.#read === null) this.#goOn(turn, now);
    else setImmediate(() => this.#goOn(turn, now));
  }

  /** A slice of the turn as of `now`. */
  #goOn(turn: Iterator<void, void>, now: number): void {
    if (this.#stopped) return;
    const untilUs = nowUs() + SLICE_US;
    while (turn.next().done !== true) {
      if (nowUs() < untilUs) continue;
      setImmediate(() => this.#goOn(turn, now));
      return;
    }
    this.#finish(now);
  }

  #finish(now: number): void {
    const after = nowUs();
    // The turn itself may have taken long.
    if (this.#read === null && after - now > STALL_US) this.dryUs = after;
    do this.#dueUs += TURN_US;
    while (this.#dueUs <= after);
    this.#timer = setTimeout(this.#run, Math.max(1, (this.#dueUs - after) / 1000));
  }
}
