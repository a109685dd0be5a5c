import { TICKS_PER_SECOND } from '@earshot/contracts';

/** Less behind than this is what a network does. */
const BEHIND_TICKS = 4000;
/** Audio over which its pace is measured: 80 ms. */
const LOOK_TICKS = 640;
/** A backlog is drained faster than this, as a share of the time that it took to say. */
const SLOW_SHARE = 0.75;
/**
 * What comes after a silence with timestamps that go on where they were is one of two things: a backlog, held up on the way and
 * sent in a burst, or a sender that stopped its clock while it had nothing to say. A backlog comes faster than it was spoken, until
 * it is caught up with; the other one comes at the pace of speech, and would stay late for good. A pure function of arrival times.
 */
export class Backlog {
  /** Packets are late because they were held up, and come faster than they were spoken. */
  draining = false;
  #lastUs = 0;
  #ticks = 0;
  #tookTicks = 0;

  /** A packet came after a silence, and was placed where its timestamp says. @param arrivalUs monotonic microseconds */
  begins(arrivalUs: number): void {
    this.draining = true;
    this.#lastUs = arrivalUs;
    this.#ticks = 0;
    this.#tookTicks = 0;
  }

  ends(): void {
    this.draining = false;
  }

  /**
   * @param ticks of the packet
   * @param lateTicks its arrival, as a tick, less the tick at which it would end
   * @returns whether this is no backlog, so that the stream belongs where it arrives
   */
  isNone(arrivalUs: number, ticks: number, lateTicks: number): boolean {
    if (!this.draining) return false;
    const tookTicks = ((arrivalUs - this.#lastUs) * TICKS_PER_SECOND) / 1e6;
    this.#lastUs = arrivalUs;
    this.#ticks += ticks;
    // A pause within the drain says nothing of its pace.
    this.#tookTicks += Math.min(tookTicks, ticks);
    if (this.#ticks < LOOK_TICKS) return false;
    const slow = this.#tookTicks > this.#ticks * SLOW_SHARE;
    this.#ticks = 0;
    this.#tookTicks = 0;
    if (!slow) return false;
    this.draining = false;
    return lateTicks >= BEHIND_TICKS;
  }
}
