import type { Timers } from '../timers.ts';

interface Entry {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

const earlier = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** Time that moves only when told, with room for a hundred thousand timers: a binary heap. */
export class VirtualTimers implements Timers {
  readonly #heap: Entry[] = [];
  #nowMs = 0;
  #order = 0;
  #alive = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Timers that are neither run nor cancelled. */
  get pending(): number {
    return this.#alive;
  }

  after(delayMs: number, run: () => void): () => void {
    // What Node would run at once, with a warning, instead of in 25 days.
    if (delayMs > 2 ** 31 - 1) throw new RangeError(`a timer of ${delayMs} ms overflows`);
    const entry: Entry = { atMs: this.#nowMs + delayMs, order: this.#order++, run };
    this.#alive++;
    this.#push(entry);
    return () => {
      if (entry.run === undefined) return;
      entry.run = undefined;
      this.#alive--;
      // Most timers are cancelled long before they are due: they must not pile up.
      if (this.#heap.length > 1024 && this.#heap.length > 4 * this.#alive) this.#sweep();
    };
  }

  #sweep(): void {
    const kept = this.#heap.filter((entry) => entry.run !== undefined);
    this.#heap.length = 0;
    for (const entry of kept) this.#push(entry);
  }

  /** Runs all that is due within this time, in order; what it starts in turn runs too. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs; next = this.#heap[0]) {
      this.#pop();
      const { run } = next;
      if (run === undefined) continue;
      next.run = undefined;
      this.#alive--;
      this.#nowMs = next.atMs;
      run();
    }
    this.#nowMs = untilMs;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !earlier(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const useRight = right !== undefined && earlier(right, left);
      const child = useRight ? right : left;
      if (!earlier(child, last)) break;
      heap[at] = child;
      at = 2 * at + (useRight ? 2 : 1);
    }
    heap[at] = last;
  }
}
