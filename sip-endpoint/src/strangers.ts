const SOURCE_EVERY_MS = 60_000;
const ANY_EVERY_MS = 1_000;
/** No more can have had a line within the minute: a flood with forged sources does not fill the memory. */
const MOST_SOURCES = SOURCE_EVERY_MS / ANY_EVERY_MS;

/**
 * Who was turned away, for the log: a line a minute for an address, and a line a second in all, since scanners send thousands from
 * one address and forged packets come from as many. What has no line is counted. Time is in ms, monotonic.
 */
export class Strangers {
  /** When an address had its last line, the longest ago first. */
  readonly #lastMs = new Map<string, number>();
  #anyMs = Number.NEGATIVE_INFINITY;
  #heldBack = 0;

  /** @returns how many requests, of all addresses, had no line since the last one; null: this one has none */
  take(address: string, nowMs: number): number | null {
    const sinceOwn = nowMs - (this.#lastMs.get(address) ?? Number.NEGATIVE_INFINITY);
    if (sinceOwn < SOURCE_EVERY_MS || nowMs - this.#anyMs < ANY_EVERY_MS) {
      this.#heldBack++;
      return null;
    }
    this.#lastMs.delete(address);
    this.#lastMs.set(address, nowMs);
    const [longestAgo] = this.#lastMs.keys();
    if (longestAgo !== undefined && this.#lastMs.size > MOST_SOURCES) this.#lastMs.delete(longestAgo);
    this.#anyMs = nowMs;
    const heldBack = this.#heldBack;
    this.#heldBack = 0;
    return heldBack;
  }
}
