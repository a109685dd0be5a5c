/** At most `limit` failures in a window for each key. Fixed windows: a failure costs one map entry, and old ones go. */
export class RateLimit {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #failures = new Map<string, { count: number; endsMs: number }>();

  constructor(limit: number, windowMs: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** @returns 0 when the next try may go on, otherwise the milliseconds to wait */
  waitMs(key: string, nowMs: number): number {
    const window = this.#failures.get(key);
    return window === undefined || window.count < this.#limit ? 0 : Math.max(0, window.endsMs - nowMs);
  }

  failed(key: string, nowMs: number): void {
    for (const [known, { endsMs }] of this.#failures) {
      if (endsMs <= nowMs) this.#failures.delete(known);
    }
    const window = this.#failures.get(key) ?? { count: 0, endsMs: nowMs + this.#windowMs };
    window.count += 1;
    this.#failures.set(key, window);
  }
}
