/** The gate opens this long before speech (300 ms) and closes this long after it (600 ms). */
export const PRE_ROLL_TICKS = 2400;
export const HANGOVER_TICKS = 4800;

/**
 * Which ticks are worth recognising: open at t when any frame of raw speech lies in [t - hangover, t + pre-roll]. A pure
 * function of the raw bits, so a replay from the spool, which keeps them, gates as the live path did.
 */
export class Gate {
  /** Open spans, start and end in turn, rising and apart. */
  readonly #edges: number[] = [];

  /** A frame of raw speech [start, end), after all others. */
  speech(start: number, end: number): void {
    const edges = this.#edges;
    const open = start - PRE_ROLL_TICKS;
    const last = edges.length - 1;
    if (last >= 0 && open <= edges[last]!) edges[last] = Math.max(edges[last]!, end + HANGOVER_TICKS);
    else edges.push(open, end + HANGOVER_TICKS);
  }

  /** @returns the end of the open span that tick lies in, or -1 when the gate is closed there */
  openUntil(tick: number): number {
    const edges = this.#edges;
    for (let i = edges.length - 2; i >= 0; i -= 2) {
      if (tick >= edges[i]!) return tick < edges[i + 1]! ? edges[i + 1]! : -1;
    }
    return -1;
  }

  /** @returns where the next open span after tick begins, or Infinity when none is known */
  nextOpen(tick: number): number {
    const edges = this.#edges;
    let next = Infinity;
    for (let i = edges.length - 2; i >= 0 && edges[i]! > tick; i -= 2) next = edges[i]!;
    return next;
  }

  /** Forgets what lies before tick. */
  forget(tick: number): void {
    const edges = this.#edges;
    let count = 0;
    while (count < edges.length && edges[count + 1]! < tick) count += 2;
    if (count > 0) edges.splice(0, count);
  }
}
