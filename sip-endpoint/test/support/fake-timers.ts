import type { Timers } from '../../src/timers.ts';

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Time that moves only when the test says so. */
export class FakeTimers implements Timers {
  #nowMs = 0;
  #order = 0;
  readonly #entries = new Set<Entry>();

  get pending(): number {
    return this.#entries.size;
  }

  after(delayMs: number, run: () => void): () => void {
    const entry: Entry = { atMs: this.#nowMs + delayMs, order: this.#order++, run };
    this.#entries.add(entry);
    return () => void this.#entries.delete(entry);
  }

  /** Runs everything that is due within this time, in order; what it starts in turn runs too. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      let next: Entry | undefined;
      for (const entry of this.#entries) {
        if (entry.atMs > untilMs) continue;
        if (
          next === undefined ||
          entry.atMs < next.atMs ||
          (entry.atMs === next.atMs && entry.order < next.order)
        )
          next = entry;
      }
      if (next === undefined) break;
      this.#entries.delete(next);
      this.#nowMs = next.atMs;
      next.run();
    }
    this.#nowMs = untilMs;
  }
}
