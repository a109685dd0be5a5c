/** Calls that ended in the last two minutes say how soon others will. */
const WINDOW_MS = 120_000;
/** So many ends are kept at most: what a busy node has in ten seconds says as much. */
const MOST_ENDS = 1_000;
/** Supposed length of a call, which weighs as much as one that ended. */
const SUPPOSED_CALL_S = 180;
const LEAST_S = 1;
const MOST_S = 120;
/** Callers who are all told the longest time would all come back in the same second. */
const SPREAD = 0.2;

/**
 * When a place comes free. Each caller who is refused is promised the place after the one before: whoever obeys finds one. Time
 * is in ms, monotonic.
 */
export class Departures {
  #ends: number[] = [];
  #startMs: number;
  /** When the last place that was promised comes free. */
  #promisedMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs: number) {
    this.#startMs = nowMs;
  }

  left(nowMs: number): void {
    this.#ends.push(nowMs);
    if (this.#ends.length > MOST_ENDS) this.#startMs = this.#ends.shift() ?? nowMs;
  }

  /**
   * Seconds until the caller who is refused now may try again, 1 to 120.
   * @param liveCalls calls that are to end some time @param chance 0..1
   */
  nextPlaceS(nowMs: number, liveCalls: number, chance: number): number {
    const limitMs = nowMs + MOST_S * 1000;
    const placeMs = Math.max(nowMs, this.#promisedMs) + this.#everyMs(nowMs, liveCalls);
    this.#promisedMs = Math.min(limitMs, placeMs);
    const most = MOST_S / (1 + SPREAD);
    const seconds = Math.min(most, (this.#promisedMs - nowMs) / 1000);
    return Math.max(LEAST_S, Math.ceil(seconds * (1 + SPREAD * (2 * chance - 1))));
  }

  /** Mean time between two ends. */
  #everyMs(nowMs: number, liveCalls: number): number {
    this.#startMs = Math.max(this.#startMs, nowMs - WINDOW_MS);
    const firstKept = this.#ends.findIndex((atMs) => atMs >= this.#startMs);
    this.#ends = firstKept < 0 ? [] : this.#ends.slice(firstKept);
    const supposedMs = (SUPPOSED_CALL_S * 1000) / Math.max(1, liveCalls);
    return (nowMs - this.#startMs + supposedMs) / (this.#ends.length + 1);
  }
}
