/** Those that wait, first come first served, and since when. Time is passed in (ms, monotonic). */
export class WaitingLine<T> {
  readonly #items: T[] = [];
  readonly #sinceMs: number[] = [];

  get length(): number {
    return this.#items.length;
  }

  /** Since when the first one waits; Infinity when none does. */
  get oldestMs(): number {
    return this.#sinceMs[0] ?? Infinity;
  }

  push(item: T, nowMs: number): void {
    this.#items.push(item);
    this.#sinceMs.push(nowMs);
  }

  /** Takes the first ones out and appends them, and since when they waited, to the lists. */
  take(count: number, items: T[], sinceMs: number[]): void {
    items.push(...this.#items.splice(0, count));
    sinceMs.push(...this.#sinceMs.splice(0, count));
  }

  remove(item: T): void {
    const at = this.#items.indexOf(item);
    if (at < 0) return;
    this.#items.splice(at, 1);
    this.#sinceMs.splice(at, 1);
  }
}
