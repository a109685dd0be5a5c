/** At most `limit` tries in a window for each key. Fixed windows: a try costs one map entry, and old ones go. */
export class RateLimit {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #tries = new Map<string, { count: number; endsMs: number }>();

  constructor(limit: number, windowMs: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** @returns 0 when the try may go on, otherwise the milliseconds to wait */
  take(key: string, nowMs: number): number {
    for (const [known, window] of this.#tries) {
      if (window.endsMs <= nowMs) this.#tries.delete(known);
    }
    const window = this.#tries.get(key) ?? { count: 0, endsMs: nowMs + this.#windowMs };
    this.#tries.set(key, window);
    if (window.count >= this.#limit) return window.endsMs - nowMs;
    window.count += 1;
    return 0;
  }
}
