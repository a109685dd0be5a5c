/** Before anything is known: three packets of 20 ms, more than a LAN between an SBC and us reorders. */
const FIRST_US = 60_000;
const LEAST_US = 40_000;
/** Words are to be there in under a second. */
const MOST_US = 400_000;
/** Above what was seen, since the next one may come a little later still. */
const MARGIN = 1.25;
/** What was seen is forgotten by half in this time. */
const HALF_LIFE_US = 30_000_000;

/**
 * How long to wait for a packet that is missing while later ones are there. Waiting longer saves packets that were overtaken and
 * delays words behind those that never come; so the wait follows how late overtaken packets have come lately: up at once,
 * down by half in 30 s. A pure function of arrival times.
 */
export class PlayoutDelay {
  #seenUs = FIRST_US / MARGIN;
  /** When that was. */
  #sinceUs = -1;

  /** @returns microseconds to wait, as of nowUs */
  at(nowUs: number): number {
    return Math.min(MOST_US, Math.max(LEAST_US, this.#remembered(nowUs) * MARGIN));
  }

  /** A missing packet came so long after the first one that overtook it, whether it was still waited for or not. */
  overtaken(lateUs: number, nowUs: number): void {
    if (lateUs < this.#remembered(nowUs)) return;
    this.#seenUs = Math.min(lateUs, MOST_US);
    this.#sinceUs = nowUs;
  }

  #remembered(nowUs: number): number {
    if (this.#sinceUs < 0) this.#sinceUs = nowUs;
    return this.#seenUs * 2 ** (-Math.max(0, nowUs - this.#sinceUs) / HALF_LIFE_US);
  }
}
